import Testing
import Wire

@testable import WebAssets

@Suite struct DashboardCallTests {
    private func target(_ method: String, _ name: String, _ query: String? = nil, mayChange: Bool = true) -> String? {
        try? DashboardCall(method: method, name: name, query: query, mayChange: mayChange).target
    }

    private func status(_ method: String, _ name: String, _ query: String? = nil, mayChange: Bool = true) -> Int? {
        do {
            _ = try DashboardCall(method: method, name: name, query: query, mayChange: mayChange)
            return nil
        } catch {
            return error.status
        }
    }

    @Test func passesWhatIsListed() {
        #expect(target("GET", "status") == "/v1/status")
        #expect(target("GET", "stats", "follow=1s") == "/v1/stats?follow=1s")
        #expect(target("GET", "logs", "lines=200&follow=1") == "/v1/logs?lines=200&follow=1")
        #expect(target("GET", "rooms", "prefix=a%26b+c%C3%BC") == "/v1/rooms?prefix=a%26b%20c%C3%BC")
        #expect(target("GET", "clients", "user=&room=r") == "/v1/clients?user=&room=r")
        #expect(target("POST", "restart", "worker=2") == "/v1/restart?worker=2")
        #expect(target("POST", "reload") == "/v1/reload")
    }

    @Test func onlyScaleHasABody() throws {
        #expect(try DashboardCall(method: "POST", name: "scale", query: nil, mayChange: true).takesBody)
        #expect(try !DashboardCall(method: "POST", name: "reload", query: nil, mayChange: true).takesBody)
    }

    @Test(arguments: [
        "config", "stop", "kick", "publish", "trace", "api/rooms", "", "status/", "../metrics", "STATUS", "status%00",
    ])
    func refusesTheRest(_ name: String) {
        #expect(status("GET", name) == 404)
        #expect(status("POST", name) == 404)
    }

    @Test func changesOnlyWhereItMay() {
        for name in ["restart", "reload", "scale"] {
            #expect(status("POST", name, mayChange: false) == 403)
            #expect(status("GET", name, mayChange: false) == 403)
            #expect(status("GET", name) == 405)
            #expect(status("POST", name) == nil)
        }
        for method in ["POST", "HEAD", "DELETE", "PUT"] { #expect(status(method, "status") == 405) }
    }

    @Test(arguments: [
        "x=1", "follow=1s&follow=2s", "follow=%", "follow=%ff", "%66ollow=1s&follow=1s", "=1", "now=1",
        "follow=\(String(repeating: "1", count: 257))",
    ])
    func refusesParameters(_ query: String) {
        #expect(status("GET", "stats", query) == 400)
    }

    @Test func nothingGetsOutOfAValue() {
        #expect(
            target("GET", "rooms", "prefix=%0d%0aX:%20y%23%26worker=1")
                == "/v1/rooms?prefix=%0D%0AX%3A%20y%23%26worker%3D1")
    }
}
