import Glibc

/// A look at SQLite's write-ahead log before SQLite has it (sqlite.org/fileformat2.html, section 4): that takes the log up to
/// the first frame that is not whole, and leaves out what stands behind it without a word.
enum WriteAheadLog {
    private static let headerSize = 32
    private static let frameHeaderSize = 24
    private static let magic: UInt32 = 0x377F_0682
    private static let pageSizes: ClosedRange<UInt32> = 512...65_536

    /// Whether commits stand behind something that is not whole. A process that was killed leaves no such log, since what it
    /// wrote is there in the order in which it wrote it; a machine that went down may. `false` where it cannot be read.
    static func hasHole(_ path: String) -> Bool {
        guard let file = fopen(path, "r") else { return false }
        defer { fclose(file) }
        var header = [UInt8](repeating: 0, count: headerSize)
        guard fread(&header, 1, headerSize, file) == headerSize else { return false }
        let (kind, pageSize) = (word(header, 0), word(header, 8))
        var sum = Checksum(isBigEndian: kind & 1 == 1)
        sum.add(header[..<24])
        // The header is written before any frame, at once.
        guard kind & ~1 == magic, pageSizes.contains(pageSize), sum == Checksum(stored: header, at: 24, like: sum)
        else {
            return true
        }
        return hasHole(file, salts: header[16..<24], pageSize: Int(pageSize), sum)
    }

    /// Frames of a former use of the file have other salts. Those of a transaction that was given up may stand behind the
    /// last good one, but no commit of one.
    private static func hasHole(
        _ file: UnsafeMutablePointer<FILE>, salts: ArraySlice<UInt8>, pageSize: Int, _ start: Checksum
    ) -> Bool {
        var frame = [UInt8](repeating: 0, count: frameHeaderSize + pageSize)
        var previous: Checksum? = start
        var isBroken = false
        while fread(&frame, 1, frame.count, file) == frame.count {
            guard frame[8..<16].elementsEqual(salts) else {
                (previous, isBroken) = (nil, true)
                continue
            }
            // Each sum goes on from the one that stands in the frame before.
            let stored = Checksum(stored: frame, at: 16, like: start)
            var expected = previous
            expected?.add(frame[..<8])
            expected?.add(frame[frameHeaderSize...])
            previous = stored
            if expected != stored {
                isBroken = true
            } else if isBroken, word(frame, 4) != 0 {
                return true
            }
        }
        return false
    }

    private static func word(_ bytes: [UInt8], _ start: Int) -> UInt32 {
        bytes[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The format's own sum of pairs of words.
    private struct Checksum: Equatable {
        private let isBigEndian: Bool
        private var first: UInt32 = 0
        private var second: UInt32 = 0

        init(isBigEndian: Bool) {
            self.isBigEndian = isBigEndian
        }

        init(stored bytes: [UInt8], at start: Int, like other: Checksum) {
            isBigEndian = other.isBigEndian
            (first, second) = (WriteAheadLog.word(bytes, start), WriteAheadLog.word(bytes, start + 4))
        }

        /// A multiple of 8 bytes.
        mutating func add(_ bytes: ArraySlice<UInt8>) {
            bytes.withUnsafeBytes { raw in
                for offset in stride(from: 0, to: raw.count - 7, by: 8) {
                    first &+= word(raw, offset) &+ second
                    second &+= word(raw, offset + 4) &+ first
                }
            }
        }

        private func word(_ raw: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
            let value = raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            return isBigEndian ? UInt32(bigEndian: value) : UInt32(littleEndian: value)
        }
    }
}
