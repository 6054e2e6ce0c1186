import ArgumentParser

/// The one program of the service: supervisor by default, its children by their first argument.
@main
enum Wsd {
    static func main() {
        // Before anything else, so that a child starts without the command line's machinery.
        if let child = ChildProgram(firstArgument: CommandLine.arguments.dropFirst().first) { child.run() }
        WsdCommand.main()
    }
}
