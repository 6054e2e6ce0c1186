import ControlClient
import Glibc
import Wire

extension Session {
    static let takeoverNote = "wsctl: wsd was replaced by its successor; following goes on."

    /// The same with the service that answers now, whichever others may come.
    func settled() async throws -> Session {
        Session(client: try await client.settled(), output: output, style: style, json: json)
    }

    /// Writes a remark that only a person has use for.
    func note(_ text: String) {
        if isatty(Output.error.descriptor) == 1 { remark(text) }
    }

    /// Has a stream come, and again each time that another program has taken the service over. Returns when it is over, or the
    /// service has ended it.
    ///
    /// - Parameter stream: is told whether it comes again; returns whether it is over.
    func followed(
        note text: String = takeoverNote, _ patience: Comeback.Patience = Comeback.Patience(),
        _ stream: (Session, _ again: Bool) async throws -> Bool
    ) async throws {
        let session = try await settled()
        var comeback = try await Comeback(session.client, patience)
        var isAgain = false
        while true {
            var cut: ControlClientError?
            do {
                if try await stream(session, isAgain) { return }
            } catch ControlClientError.cutOff {
                cut = .cutOff
            }
            guard await comeback.wait() == .takenOver else {
                if let cut { throw cut }
                return
            }
            note(text)
            isAgain = true
        }
    }
}
