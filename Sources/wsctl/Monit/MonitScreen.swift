import ControlClient
import LinuxSystem
import Wire

/// What `wsctl monit` shows and how keys change it. No terminal, no clock: facts and keys go in, rows of text come out.
struct MonitScreen {
    enum Sort: String, CaseIterable {
        case name, cpu, memory, restarts
    }

    enum Action: Equatable {
        case quit
        /// Ctrl-Z.
        case suspend
        /// Everything again: something else wrote on the terminal.
        case redraw
        case perform(MonitRequest)
    }

    /// A sentence in the last row.
    struct Notice: Equatable {
        var text: String
        var colour: Style.Colour
        /// Statuses until it goes away; `nil`: it stays until the next one.
        var lasts: Int?
    }

    /// Figures kept for the sparkline of a row.
    static let historyLength = 60
    /// Kept lines of a log that are shown at once.
    static let firstLogLines = 300
    /// Characters of a filter.
    static let maxFilter = 64
    /// Statuses for which the end of an operation is shown.
    static let noticeLength = 10

    var size: FullScreenTerminal.Size
    /// Of the followed log: sequence of the first line kept, and of the one to come.
    var extent = MonitLog.Extent()

    private(set) var status: ServiceStatus?
    /// Why there is no status; the last one is still shown.
    private(set) var lost: String?
    private(set) var rows: [MonitRow] = []
    /// Those of `rows` that are listed, in that order.
    private(set) var shown: [MonitRow] = []
    private(set) var selection = 0
    /// CPU of each row.
    private(set) var history: [String: [Double]] = [:]
    private(set) var sort = Sort.name
    private(set) var filter = ""
    private(set) var isTyping = false
    private(set) var isLogOpen = false
    private(set) var showsHelp = false
    private(set) var question: MonitRequest?
    private(set) var notice: Notice?
    /// The last line that the log shows; `nil`: the newest.
    private(set) var logEnd: Int?
    private var selectedID: String?

    init(size: FullScreenTerminal.Size) {
        self.size = size
    }

    var selected: MonitRow? { shown.indices.contains(selection) ? shown[selection] : nil }

    /// The call that follows the log of the selected row; `nil`: there is none.
    var logCall: ControlRequest? {
        guard let selected else { return nil }
        let whose: [(String, String?)] =
            switch selected.subject {
            case .service: []
            case .supervisor, .hub: [("source", selected.name)]
            case .worker(let number): [("worker", "\(number)")]
            case .program(let name): [("program", name)]
            case .process(_, let name): [("source", name)]
            }
        return ControlRequest(
            .get, "/v1/logs", query: [("follow", "1"), ("lines", "\(Self.firstLogLines)")] + whose)
    }
}

// MARK: - Facts

extension MonitScreen {
    mutating func arrived(_ status: ServiceStatus) {
        self.status = status
        lost = nil
        rows = MonitRow.rows(status)
        var history: [String: [Double]] = [:]
        for row in rows {
            history[row.id] = ((self.history[row.id] ?? []) + [row.cpu ?? 0]).suffix(Self.historyLength)
        }
        self.history = history
        settle()
        age()
    }

    /// The service did not answer.
    mutating func isLost(_ sentence: String) {
        lost = sentence
        age()
    }

    mutating func said(_ progress: OperationProgress, of request: MonitRequest) {
        let text = "\(request.label): \(PlainText.harmless(progress.message))"
        guard progress.done else {
            notice = Notice(text: text, colour: .cyan, lasts: nil)
            return
        }
        notice = Notice(text: text, colour: progress.succeeded == true ? .green : .boldRed, lasts: Self.noticeLength)
    }

    mutating func failed(_ request: MonitRequest, _ sentence: String) {
        complain("\(request.label): \(PlainText.harmless(sentence))")
    }

    mutating func ended(_ request: MonitRequest) {
        notice = Notice(text: "\(request.label): wsd has ended.", colour: .green, lasts: Self.noticeLength)
    }

    private mutating func age() {
        guard let lasts = notice?.lasts else { return }
        if lasts <= 1 { notice = nil } else { notice?.lasts = lasts - 1 }
    }

    private mutating func complain(_ text: String) {
        notice = Notice(text: text, colour: .boldRed, lasts: Self.noticeLength)
    }

    /// Lists what is to be listed, with the same row selected or, where that is gone, the one in its place.
    private mutating func settle() {
        var list = rows
        if sort != .name {
            list = list.filter { !$0.isGroup }
            for index in list.indices { list[index].isPart = false }
            let sort = sort
            // By position where they are the same.
            list = list.enumerated().sorted {
                let (left, right) = (sort.figure($0.element), sort.figure($1.element))
                return left == right ? $0.offset < $1.offset : left > right
            }.map(\.element)
        }
        shown = filter.isEmpty ? list : filtered(list)
        if let index = shown.firstIndex(where: { $0.id == selectedID }) {
            selection = index
        } else {
            selection = max(0, min(selection, shown.count - 1))
        }
        follow()
    }

    /// Rows that match, with the group that they are in and the parts that they have.
    private func filtered(_ list: [MonitRow]) -> [MonitRow] {
        let wanted = filter.lowercased()
        func matches(_ row: MonitRow) -> Bool {
            row.name.lowercased().contains(wanted) || row.state.lowercased().contains(wanted)
        }
        var result: [MonitRow] = []
        var group: (row: MonitRow, isListed: Bool)?
        for row in list {
            if row.isPart, let current = group {
                let isWhole = current.isListed && matches(current.row) && current.row.subject != .service
                guard isWhole || matches(row) else { continue }
                if !current.isListed {
                    result.append(current.row)
                    group?.isListed = true
                }
                result.append(row)
            } else {
                group = row.isGroup ? (row, matches(row)) : nil
                if matches(row) { result.append(row) }
            }
        }
        return result
    }

    private mutating func follow() {
        guard selected?.id != selectedID, let selected else { return }
        selectedID = selected.id
        logEnd = nil
    }
}

extension MonitScreen.Sort {
    func figure(_ row: MonitRow) -> Double {
        switch self {
        case .name: 0
        case .cpu: row.cpu ?? -1
        case .memory: row.memory.map(Double.init) ?? -1
        case .restarts: Double(row.restarts)
        }
    }

    var next: Self {
        let all = Self.allCases
        return all[((all.firstIndex(of: self) ?? 0) + 1) % all.count]
    }
}

// MARK: - Keys

extension MonitScreen {
    mutating func pressed(_ key: MonitKey) -> Action? {
        switch key {
        case .interrupt: return .quit
        case .suspend: return .suspend
        case .redraw: return .redraw
        default: break
        }
        if showsHelp {
            showsHelp = false
            return key == .character("q") ? .quit : nil
        }
        if let question { return answered(key, question) }
        if isTyping {
            typed(key)
            return nil
        }
        return isLogOpen ? pressedInLog(key) : pressedInList(key)
    }

    private mutating func answered(_ key: MonitKey, _ request: MonitRequest) -> Action? {
        question = nil
        guard key == .character("y") || key == .character("Y") else {
            notice = Notice(text: "Nothing was done.", colour: .plain, lasts: 3)
            return nil
        }
        return begin(request)
    }

    private mutating func begin(_ request: MonitRequest) -> Action {
        notice = Notice(text: "\(request.label)…", colour: .cyan, lasts: nil)
        return .perform(request)
    }

    private mutating func typed(_ key: MonitKey) {
        switch key {
        case .enter: isTyping = false
        case .escape: (isTyping, filter) = (false, "")
        case .backspace: filter = String(filter.dropLast())
        case .character(let character), .pasted(let character):
            if filter.count < Self.maxFilter { filter.append(character) }
        case .up: select(selection - 1)
        case .down: select(selection + 1)
        default: break
        }
        settle()
    }

    private mutating func pressedInList(_ key: MonitKey) -> Action? {
        let page = max(1, layout.list)
        switch key {
        case .up, .character("k"): select(selection - 1)
        case .down, .character("j"): select(selection + 1)
        case .pageUp: select(selection - page)
        case .pageDown: select(selection + page)
        case .home, .character("g"): select(0)
        case .end, .character("G"): select(shown.count - 1)
        case .enter, .character("l"): isLogOpen = selected != nil
        case .escape:
            filter = ""
            notice = nil
            settle()
        case .character("/"): isTyping = true
        case .character("s"):
            sort = sort.next
            settle()
        default: return pressedAnywhere(key)
        }
        return nil
    }

    private mutating func pressedInLog(_ key: MonitKey) -> Action? {
        let page = max(1, layout.log - 1)
        switch key {
        case .up, .character("k"): scroll(by: -1)
        case .down, .character("j"): scroll(by: 1)
        case .pageUp: scroll(by: -page)
        case .pageDown: scroll(by: page)
        case .home, .character("g"): scroll(by: extent.first - extent.end)
        case .end, .character("G"): logEnd = nil
        case .enter, .escape, .character("l"): (isLogOpen, logEnd) = (false, nil)
        default: return pressedAnywhere(key)
        }
        return nil
    }

    private mutating func pressedAnywhere(_ key: MonitKey) -> Action? {
        guard case .character(let character) = key else { return nil }
        switch character {
        case "q": return .quit
        case "?": showsHelp = true
        default:
            guard let verb = MonitVerb(character), let selected else { return nil }
            do {
                let request = try verb.request(selected)
                if request.question == nil { return begin(request) }
                question = request
            } catch {
                complain(error.message)
            }
        }
        return nil
    }

    private mutating func select(_ index: Int) {
        selection = max(0, min(index, shown.count - 1))
        follow()
    }

    private mutating func scroll(by lines: Int) {
        let end = max(min(extent.end, extent.first + layout.log), (logEnd ?? extent.end) + lines)
        logEnd = end >= extent.end ? nil : end
    }
}
