import Model
import Webhooks
import Wire

/// The application behind the webhooks, as the engine needs it.
struct Application {
    /// The hooks that have a URL.
    var hooks: Set<WebhookKind> = []
    /// The completion is called once, on the event loop, never from within the call.
    var ask: (WebhookCall, @escaping (WebhookOutcome) -> Void) -> Void = { _, _ in }
    var tell: (WebhookEvent) -> Void = { _ in }
    var figures: () -> [String: WebhookFigures] = { [:] }
    /// Waits for what is under way, at most that long.
    var end: (_ within: Duration, _ done: @escaping () -> Void) -> Void = { $1() }

    /// There is none.
    init() {}

    init(_ caller: WebhookCaller) {
        hooks = Set(WebhookKind.allCases.filter(caller.isOn))
        ask = { caller.call($0, completion: $1) }
        tell = { caller.notify($0) }
        figures = { caller.figures }
        end = { caller.shutdown(within: $0, completion: $1) }
    }
}
