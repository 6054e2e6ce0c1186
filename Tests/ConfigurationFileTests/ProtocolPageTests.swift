import Model
import Testing

@testable import ConfigurationFile

/// `docs/protocol.md` against what it describes.
@Suite struct ProtocolPageTests {
    @Test(arguments: ClientErrorCode.allCases)
    func everyErrorIsListedWithItsWords(_ code: ClientErrorCode) throws {
        #expect(try projectFile("docs/protocol.md").contains("\n| `\(code.rawValue)` | \(code.words) | "))
    }

    @Test(arguments: [
        CloseCode.normal, .goingAway, .protocolError, .unsupportedData, .invalidPayload, .policyViolation,
        .messageTooBig,
        .internalError, .serviceRestart, .tryAgainLater, .heartbeatTimeout, .unauthenticated, .tokenExpired,
        .refusedByApplication, .replaced, .tooManyForUser, .tooManyConnections, .rateLimitAbuse, .backendUnavailable,
    ])
    func everyCloseCodeIsListedWithItsRule(_ code: CloseCode) throws {
        let lines = try projectFile("docs/protocol.md").split(separator: "\n")
        let row = try #require(lines.first { $0.hasPrefix("| \(code.rawValue) | ") })
        #expect(row.contains("| yes") == code.shouldReconnect)
        #expect(row.hasSuffix("| no |") != code.shouldReconnect)
    }

    @Test func everyKeyInItExists() throws {
        let schema = ConfigurationSchema.current
        let codes = try projectFile("docs/protocol.md").split(separator: "`", omittingEmptySubsequences: false)
        let names = codes.filter { code in
            schema.sections.contains { code.hasPrefix("\($0.name).") } && !code.contains(" ")
        }
        #expect(names.count > 10)
        let unknown = names.map(String.init).filter { schema.key($0) == nil && !schema.isSection($0) }
        #expect(unknown == [])
    }
}
