import CLinux

/// What a burst leaves behind in the allocator (malloc_trim(3)), and the start in the page table.
package enum FreedMemory {
    /// How often a process looks.
    package static let interval = Duration.seconds(10)
    /// Freed bytes that a process may keep for what comes next.
    private static let kept = 8 * 1024 * 1024

    /// Unmaps the program's code, of which the start touched most: it comes back from the page cache where it is needed.
    private static let startIsOver: Void = wsd_release_code()

    /// Gives freed memory back to the kernel when there is much of it; takes about a millisecond for 100 MB, else
    /// microseconds. The first time, the code that only the start needed goes, too.
    package static func giveBack() {
        startIsOver
        wsd_return_memory(kept)
    }
}
