import Model
import Wire

// One colour for one meaning, wherever it is shown.

extension LogLevel {
    var colour: Style.Colour {
        switch self {
        case .trace, .debug: .faint
        case .info: .plain
        case .notice: .cyan
        case .warning: .yellow
        case .error, .critical: .boldRed
        }
    }
}

extension ProcessStatus.State {
    var colour: Style.Colour {
        switch self {
        case .ready: .green
        case .starting, .draining, .stopping: .yellow
        case .backoff: .red
        case .failed: .boldRed
        case .stopped: .faint
        }
    }
}

extension ProgramState {
    var colour: Style.Colour {
        switch self {
        case .ready: .green
        case .starting, .stopping, .waiting: .yellow
        case .backoff: .red
        case .failed: .boldRed
        case .stopped: .faint
        case .finished: .plain
        }
    }
}

extension ServiceStatus.Health {
    var colour: Style.Colour {
        switch self {
        case .ok: .green
        case .degraded: .boldRed
        case .starting, .stopping: .yellow
        }
    }
}
