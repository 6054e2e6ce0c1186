import ArgumentParser
import Glibc
import LinuxSystem

/// The one program of the service: supervisor by default, its children by their first argument.
@main
enum Wsd {
    static func main() {
        // Dispatch tells syslog each time that it may not raise a thread's priority, as nobody but root may.
        setenv("LIBDISPATCH_LOG", "NO", 0)
        // Before anything else, so that a child starts without the command line's machinery.
        if let child = ChildProgram(firstArgument: CommandLine.arguments.dropFirst().first) { child.run() }
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.first == TakeoverTrial.role { WsdCommand.tryTakeover(Array(arguments.dropFirst())) }
        WsdCommand.main()
    }
}
