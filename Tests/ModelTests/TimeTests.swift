import Model
import Testing

@Suite struct TimeTests {
    @Test func arithmetic() {
        let start = MonotonicTime(nanoseconds: 1_000)
        #expect(start + .microseconds(2) == MonotonicTime(nanoseconds: 3_000))
        #expect(start - .nanoseconds(1) < start)
        #expect(MonotonicTime(nanoseconds: 5_000) - start == .nanoseconds(4_000))
        var later = start
        later += .seconds(1)
        #expect(later > start)
    }

    @Test func durationsInOtherUnits() {
        #expect(Duration.milliseconds(1500).nanoseconds == 1_500_000_000)
        #expect(Duration.milliseconds(-1500).nanoseconds == -1_500_000_000)
        #expect(Duration.nanoseconds(1_999_999).milliseconds == 1)
        #expect(Duration.milliseconds(250).inSeconds == 0.25)
    }

    @Test func durationsBeyondAllBoundsSaturate() {
        #expect(Duration.seconds(Int64.max).nanoseconds == .max)
        #expect(Duration.seconds(Int64.min).nanoseconds == .min)
    }
}

@Suite struct CloseCodeTests {
    @Test(
        arguments: [
            (1000, true), (1003, true), (1004, false), (1005, false), (1006, false), (1007, true), (1014, true),
            (1015, false),
            (0, false), (999, false), (2999, false), (3000, true), (4999, true), (5000, false), (65535, false),
        ] as [(UInt16, Bool)])
    func validityOnTheWire(code: UInt16, isValid: Bool) {
        #expect(CloseCode(rawValue: code).isValidOnWire == isValid)
    }

    @Test func reconnectRules() {
        let reconnecting: [CloseCode] = [
            .goingAway, .internalError, .serviceRestart, .tryAgainLater, .heartbeatTimeout,
        ]
        let final: [CloseCode] = [
            .normal, .protocolError, .unsupportedData, .invalidPayload, .policyViolation, .messageTooBig,
        ]
        #expect(reconnecting.filter { !$0.shouldReconnect } == [])
        #expect(final.filter(\.shouldReconnect) == [])
    }
}

@Suite struct ConfigurationTests {
    @Test func echoAndTestPageFollowTheMode() {
        var configuration = WsdConfiguration()
        #expect(configuration.echoEnabled && configuration.testPageEnabled)
        configuration.mode = .prod
        #expect(!configuration.echoEnabled && !configuration.testPageEnabled)
        configuration.websocket.echo = true
        configuration.http.testPage = true
        #expect(configuration.echoEnabled && configuration.testPageEnabled)
    }

    @Test func levelsAreOrdered() {
        #expect(LogLevel.allCases == LogLevel.allCases.sorted())
    }
}
