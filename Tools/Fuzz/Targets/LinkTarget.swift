import Model
import NIOCore
import Wire

/// The links between wsd's own processes: a peer there is trusted, but a fault of one must not become another's.
enum LinkTarget {
    static func runHub(_ bytes: [UInt8]) {
        var worker = HubLinkDecoder(maxPayload: 1000)
        worker.append(ByteBuffer(bytes: bytes))
        var hub = worker
        while let frame = try? worker.nextWorkerFrame() {
            if case .operation(let operation, let payload) = frame {
                var again = ByteBuffer()
                HubLinkEncoder.operation(operation, payload: payload.readableBytesView, into: &again)
                var decoder = HubLinkDecoder(maxPayload: again.readableBytes)
                decoder.append(again)
                expect((try? decoder.nextWorkerFrame()) == frame, "\(operation) changes when it is written")
            }
        }
        while let frame = try? hub.nextHubFrame() {
            var again = ByteBuffer()
            switch frame {
            case .delivery(let delivery, let payload):
                HubLinkEncoder.delivery(delivery, payload: payload.readableBytesView, into: &again)
            case .reply(let sequence, let reply): HubLinkEncoder.reply(sequence: sequence, reply, into: &again)
            case .command(let command): HubLinkEncoder.command(command, into: &again)
            case .welcome, .ack: continue
            }
            var decoder = HubLinkDecoder(maxPayload: again.readableBytes)
            decoder.append(again)
            expect((try? decoder.nextHubFrame()) == frame, "\(frame) changes when it is written")
        }
    }

    static func runChild(_ bytes: [UInt8]) {
        var child = ChildLinkDecoder<ChildMessage>(unread: ByteBuffer(bytes: bytes))
        var supervisor = ChildLinkDecoder<SupervisorMessage>(unread: ByteBuffer(bytes: bytes))
        while let message = try? child.next() { _ = try? ChildLinkCodec.encode(message) }
        while let message = try? supervisor.next() { _ = try? ChildLinkCodec.encode(message) }
    }

    static var hub: [[UInt8]] {
        func frames(_ write: (inout ByteBuffer) -> Void) -> [UInt8] {
            var out = ByteBuffer()
            write(&out)
            return Array(out.readableBytesView)
        }
        let data = ByteBuffer(string: "{}").readableBytesView, room = RoomName("lobby")
        let position = RoomPosition(epoch: RoomEpoch(rawValue: 7), offset: 42)
        let client = ClientID(boot: BootID(rawValue: 5), serial: 6)
        var join = JoinOptions()
        join.since = position
        join.session = SessionID(rawValue: 3)
        let registration = ClientRegistration(
            session: SessionID(rawValue: 3), user: UserName("ada"), info: "{}", addressKey: "192.0.2.1", origin: "")
        let requests: [HubRequest] = [
            .join(room, join), .publish(room, MessageID("m"), includesSender: true), .direct(UserName("ada"), nil),
            .connect(registration), .history(room, HistoryQuery()), .read(room, offset: 3), .backend,
        ]
        var delivery = HubDelivery(origin: client.boot, sequence: 1, kind: .message, subject: client, room: room)
        delivery.user = UserName("ada")
        delivery.position = position
        delivery.messageID = MessageID("m")
        let entry = HistoryEntry(offset: 41, time: 5, subject: client, user: UserName("ada"), data: [0x31])
        var result = JoinResult(room: room)
        result.position = position
        result.recovery = .failed(.expired)
        result.missed = [entry]
        result.presence = [PresenceEntry(client: client, user: UserName("ada"), info: "{}")]
        let replies: [HubReply] = [
            .joined(result), .history(HistoryPage(room: room, position: position, entries: [entry], hasMore: true)),
            .refused(ClientRefusal(.rateLimited, message: "no", retryAfter: .seconds(1))),
            .published(position: position, isRepetition: true), .rejected(.replaced, reason: "x"),
            .backend([0x7B, 0x7D]),
        ]
        return [
            frames { out in
                HubLinkEncoder.hello(boot: client.boot, slot: 1, into: &out)
                HubLinkEncoder.client(6, registration, into: &out)
                HubLinkEncoder.register(room: room, clients: [6, 7], into: &out)
                HubLinkEncoder.position(room: room, position, into: &out)
                HubLinkEncoder.snapshotEnd(replayThrough: 9, into: &out)
            },
            frames { out in
                for (index, request) in requests.enumerated() {
                    let operation = HubOperation(sequence: UInt64(index), client: 6, request: request)
                    HubLinkEncoder.operation(operation, payload: data, into: &out)
                }
            },
            frames { out in
                HubLinkEncoder.welcome(boot: client.boot, isLate: false, into: &out)
                HubLinkEncoder.ack(acknowledged: 2, settled: 1, into: &out)
                HubLinkEncoder.delivery(delivery, payload: data, into: &out)
            },
            frames { out in for reply in replies { HubLinkEncoder.reply(sequence: 1, reply, into: &out) } },
            frames { out in
                HubLinkEncoder.command(.close(client: 6, .replaced, reason: "x"), into: &out)
                HubLinkEncoder.command(.subscribe(client: 6, room), into: &out)
                HubLinkEncoder.command(.membersMissed(room), into: &out)
            },
        ]
    }

    static var child: [[UInt8]] {
        let boot = BootID(rawValue: 7)
        let fromChild: [ChildMessage] = [
            .hello(pid: 1, version: WsdVersion.current, link: WsdVersion.link, boot: boot), .ready,
            .heartbeat(ChildCounters()), .failed(reason: "no", exitCode: 70), .draining(remaining: 3),
            .reply(id: 1, page: .count(2), more: false),
        ]
        let toChild: [SupervisorMessage] = [
            .lameDuck(true), .drain(code: .serviceRestart, spread: .seconds(5), deadline: .seconds(30)),
            .logLevel(.debug), .query(id: 1, .clients(ClientFilter(user: "ada"))),
            .configure(
                ChildConfiguration(
                    slot: .worker(1), instance: InstanceID(rawValue: 1), configuration: WsdConfiguration(),
                    hubSocket: "/run/wsd/hub", listeners: [.tcp(host: nil, port: 80)], serviceStartedAt: 1)),
        ]
        let lines = fromChild.compactMap { try? ChildLinkCodec.encode($0) }
        return lines.map { Array($0.readableBytesView) }
            + toChild.compactMap { try? ChildLinkCodec.encode($0) }.map { Array($0.readableBytesView) }
    }
}
