import NIOCore

/// One message to many clients: its frame is made once, and its compressed frame once per number of window bits.
package struct SharedFrame {
    package let kind: MessageKind
    package let payload: ByteBuffer
    private var plain: ByteBuffer?
    /// `nil`: not worth it.
    private var compressed: [(windowBits: UInt8, frame: ByteBuffer?)] = []

    package init(_ kind: MessageKind, _ payload: ByteBuffer) {
        self.kind = kind
        self.payload = payload
    }

    /// The frame for connections without permessage-deflate.
    package mutating func plainFrame() -> ByteBuffer {
        if let plain { return plain }
        let frame = FrameWriter.frame(kind, payload)
        plain = frame
        return frame
    }

    /// The frame for a connection whose sender keeps no window; the plain one where compressing is no gain.
    mutating func frame(windowBits: UInt8, pool: DeflatePool) -> ByteBuffer {
        if let known = compressed.first(where: { $0.windowBits == windowBits }) { return known.frame ?? plainFrame() }
        let frame = pool.compressed(payload, windowBits: windowBits) { [kind] in
            FrameWriter.compressedFrame(kind, deflated: $0)
        }
        compressed.append((windowBits, frame))
        return frame ?? plainFrame()
    }
}
