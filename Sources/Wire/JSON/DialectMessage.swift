package import Model

/// One message of a client, understood.
package struct DialectMessage: Hashable, Sendable {
    package var command: ClientCommand
    package var request: RequestID?
    /// Where `data` lies in the frame, offsets from its first byte; empty: there is none.
    package var data: Range<Int>

    package init(command: ClientCommand, request: RequestID?, data: Range<Int>) {
        self.command = command
        self.request = request
        self.data = data
    }
}

/// A message of a client that cannot be carried out, and whom to tell.
package struct DialectError: Error, Hashable, Sendable {
    package var code: ClientErrorCode
    /// Set when the message was JSON and its `requestId` could be read.
    package var request: RequestID?

    package init(code: ClientErrorCode, request: RequestID? = nil) {
        self.code = code
        self.request = request
    }
}
