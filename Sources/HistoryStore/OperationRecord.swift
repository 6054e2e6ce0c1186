internal import Model
internal import Realtime

/// Which operations of one boot a commit recorded: sequence, item, epoch and offset of each, 8 bytes each,
/// little-endian.
struct OperationRecord {
    private static let size = 32
    private static let fields = 4

    private(set) var last: UInt64 = 0
    /// Of the newest entry.
    private(set) var time: Int64 = .min
    private(set) var bytes: [UInt8] = []

    mutating func append(_ origin: OperationOrigin, _ position: RoomPosition, time: Int64) {
        last = max(last, origin.sequence)
        self.time = max(self.time, time)
        for value in [origin.sequence, UInt64(clamping: origin.item), position.epoch.rawValue, position.offset] {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
    }

    /// Where an operation stands in packed bytes. What is no whole record is ignored.
    static func position(of origin: OperationOrigin, in bytes: [UInt8]) -> RoomPosition? {
        bytes.withUnsafeBytes { raw in
            for start in stride(from: 0, to: raw.count / size * size, by: size) {
                func value(_ field: Int) -> UInt64 {
                    UInt64(
                        littleEndian: raw.loadUnaligned(fromByteOffset: start + field * size / fields, as: UInt64.self))
                }
                guard value(0) == origin.sequence, value(1) == UInt64(clamping: origin.item) else { continue }
                return RoomPosition(epoch: RoomEpoch(rawValue: value(2)), offset: value(3))
            }
            return nil
        }
    }
}
