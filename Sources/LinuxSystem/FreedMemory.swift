import CLinux

/// What a burst leaves behind in the allocator (malloc_trim(3)).
package enum FreedMemory {
    /// How often a process looks.
    package static let interval = Duration.seconds(10)
    /// Freed bytes that a process may keep for what comes next.
    private static let kept = 8 * 1024 * 1024

    /// Gives freed memory back to the kernel when there is much of it; takes about a millisecond for 100 MB, else
    /// microseconds.
    package static func giveBack() { wsd_return_memory(kept) }
}
