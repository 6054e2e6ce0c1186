internal import Model

extension HubStateMachine {
    mutating func connected(
        _ operation: HubOperation, _ registration: ClientRegistration, _ place: Place, _ context: Context
    ) {
        if registry.client(operation.client, link: place.link) != nil {
            // The snapshot has it, or the worker asks twice.
            return reply(.admitted, operation, place, context)
        }
        if !place.isReplay,
            rates.connect(address: registration.addressKey, limits: settings.limits, now: context.now) != nil
        {
            counts.refusedByRate += 1
            return reject(operation, .tooManyConnections, "connecting too often from this address", place, context)
        }
        if let refusal = registry.refusal(of: registration, limits: settings.limits) {
            return reject(operation, refusal, place, context)
        }
        registry.insert(operation.client, link: place.link, registration)
        replaceOldest(of: registration.user, context)
        reply(.admitted, operation, place, context)
    }

    mutating func identified(
        _ operation: HubOperation, _ registration: ClientRegistration, _ place: Place, _ context: Context
    ) {
        guard let known = registry.client(operation.client, link: place.link)?.registration else {
            return connected(operation, registration, place, context)
        }
        if known.user != registration.user,
            let refusal = registry.refusalOfUser(registration.user, limits: settings.limits)
        {
            return reject(operation, refusal, place, context)
        }
        registry.identify(operation.client, link: place.link, user: registration.user, info: registration.info)
        replaceOldest(of: registration.user, context)
        reply(.admitted, operation, place, context)
    }

    mutating func disconnected(
        _ operation: HubOperation, mayReturn: Bool, _ place: Place, _ context: Context
    ) {
        let boot = links[place.link].boot
        for room in rooms.rooms(of: operation.client, link: place.link) {
            let size = rooms.list[room].memberCount
            guard rooms.remove(operation.client, link: place.link, room: room) else { continue }
            departed(
                operation.client, link: place.link, boot: boot, room: room, size: size, mayReturn: mayReturn, context)
            emptied(room, context)
        }
        _ = registry.remove(operation.client, link: place.link)
        done(operation, place, context)
    }

    private mutating func replaceOldest(of user: UserName?, _ context: Context) {
        for key in registry.replaceOldest(of: user, limits: settings.limits) {
            counts.replaced += 1
            context.output.command(
                .close(client: key.client, .replaced, reason: "replaced by a newer connection"), to: key.link)
        }
    }

    private mutating func reject(
        _ operation: HubOperation, _ refusal: ClientRegistry.Refusal, _ place: Place, _ context: Context
    ) {
        switch refusal {
        case .user:
            counts.refusedPerUser += 1
            reject(operation, .tooManyForUser, "too many connections of this user", place, context)
        case .address:
            counts.refusedPerAddress += 1
            reject(operation, .tooManyConnections, "too many connections from this address", place, context)
        case .origin:
            counts.refusedPerOrigin += 1
            reject(operation, .tooManyConnections, "too many connections from this page", place, context)
        case .total:
            counts.refusedTotal += 1
            reject(operation, .tooManyConnections, "too many connections", place, context)
        }
    }

    private func reject(
        _ operation: HubOperation, _ code: CloseCode, _ reason: String, _ place: Place, _ context: Context
    ) {
        context.output.reply(.rejected(code, reason: reason), sequence: operation.sequence, to: place.link)
    }
}
