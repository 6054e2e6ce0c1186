import DequeModule

/// Performs a machine's actions first in, first out. Confined to the event loop.
final class ActionQueue<Action> {
    private var actions: Deque<Action> = []
    private var isPerforming = false

    /// Performs actions in order; those that follow from one, added from within, go to the end of the queue.
    ///
    /// - Returns: `false` from within: the outer call has more to perform.
    func perform(_ new: [Action], _ perform: (Action) -> Void) -> Bool {
        actions.append(contentsOf: new)
        guard !isPerforming else { return false }
        isPerforming = true
        while let action = actions.popFirst() { perform(action) }
        isPerforming = false
        return true
    }
}
