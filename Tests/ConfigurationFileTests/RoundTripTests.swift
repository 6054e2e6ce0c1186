import FoundationEssentials
import Model
import Testing

@testable import ConfigurationFile

/// The configuration travels to the children as JSON.
@Suite struct RoundTripTests {
    @Test func everySectionSurvives() throws {
        let hash = String(repeating: "a", count: 64)
        let configuration = try load(
            """
            rooms: {rules: [{match: a, rate: off, historyTTL: 1500ms}], defaults: {rate: 7/m}, broadcast: nobody}
            limits: {messageRate: off, userRate: 1/h, origins: same-host}
            auth: {queryParameter: none, cookie: token}
            api: {keys: {name: web, sha256: \(hash), allow: observe}}
            webhooks: {rpc: {onFailure: allow}}
            """
        ).configuration
        let decoded = try JSONDecoder().decode(WsdConfiguration.self, from: JSONEncoder().encode(configuration))
        #expect(decoded == configuration)
        #expect(decoded.limits.messageRate == nil && decoded.auth.queryParameter == nil)
        #expect(decoded.rooms.rules.first?.rate == .off)
    }
}
