internal import Authorisation
internal import ISO8583
internal import IssuerMessages
internal import Logging
internal import NIOCore

/// One connection of an acquirer switch: bytes to frames to messages to requests, and decisions back again.
/// What to do when is `ConnectionState`'s matter.
///
/// All frames of one read are taken before anything is written, and all answers of one turn of the loop leave
/// in one write: a write a frame would cost twenty times as much.
final class AcquirerConnection: ChannelDuplexHandler, @unchecked Sendable {
    // Sendable because only its event loop touches it: NIO calls handlers there, and the tasks of requests
    // run on the loop's executor.
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let link: LinkConfiguration
    private let mapping: RequestMapping
    private let responses = ResponseMapping()
    private let loop: LoopContext
    private let logger: Logger
    private let clock: @Sendable () -> UInt64

    private var state: ConnectionState
    private var context: ChannelHandlerContext?
    private var decoder: FrameDecoder
    private var unread: ByteBuffer?
    private var readHeld = false
    private var outbound = ByteBuffer()
    private var encoded: [UInt8] = []
    private var prefix: [UInt8] = []
    private var flushScheduled = false

    init(
        _ link: LinkConfiguration, _ loop: LoopContext, _ logger: Logger,
        clock: @escaping @Sendable () -> UInt64
    ) {
        self.link = link
        self.loop = loop
        self.logger = logger
        self.clock = clock
        mapping = RequestMapping(link: link.profile)
        state = ConnectionState(inFlightMax: link.inFlightMax)
        decoder = FrameDecoder(framing: link.framing)
        encoded.reserveCapacity(1_024)
    }

    // MARK: - Channel events

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelActive(context: ChannelHandlerContext) {
        loop.opened(self)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        state.closed()
        loop.closed(self)
        self.context = nil
        context.fireChannelInactive()
    }

    func read(context: ChannelHandlerContext) {
        if state.readingStopped { readHeld = true } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // The peer has closed its side only: it still waits for its answers.
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { perform(state.drain()) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.info("connection failed", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if var earlier = unread {
            earlier.writeBuffer(&bytes)
            bytes = earlier
            unread = nil
        }
        takeFrames(&bytes)
        if bytes.readableBytes > 0, state.acceptsRequests { unread = bytes }
    }

    func drain() { perform(state.drain()) }

    func close() { context?.close(promise: nil) }

    // MARK: - Frames

    private func takeFrames(_ bytes: inout ByteBuffer) {
        while state.acceptsRequests, bytes.readableBytes > 0 {
            let outcome = bytes.withUnsafeReadableBytes { raw -> FrameDecoder.Outcome in
                let outcome = decoder.nextFrame(in: raw)
                if case .frame(let payload, _) = outcome {
                    take(UnsafeRawBufferPointer(rebasing: raw[payload]))
                }
                return outcome
            }
            switch outcome {
            case .needMore: return
            case .frame(_, let consumed): bytes.moveReaderIndex(forwardBy: consumed)
            case .invalid(.emptyFrame):
                // A length of zero is how some switches say that they are alive.
                decoder = FrameDecoder(framing: link.framing)
                bytes.moveReaderIndex(forwardBy: link.framing.lengthForm.byteCount)
            case .invalid(let error):
                // Where the next frame begins is unknown now; there is nothing left to read.
                loop.metrics.invalidFrames += 1
                logger.warning("frame refused, connection closed", metadata: ["reason": "\(error)"])
                bytes.clear()
                perform(state.drain())
            }
        }
    }

    private func take(_ frame: UnsafeRawBufferPointer) {
        let receivedAt = clock()
        let message: Message
        do throws(MessageDecodingError) {
            message = try link.codec.decode(frame)
        } catch {
            loop.metrics.undecodable += 1
            logger.notice("message refused", metadata: ["fault": "\(error)"])
            if let partial = error.partial { answer(partial, responses.formatError(partial), receivedAt) }
            return
        }
        do throws(MappingError) {
            let deadline = Deadline(nanoseconds: receivedAt &+ link.answerTimeoutNanoseconds)
            switch try mapping.interpret(message, receivedAt: receivedAt, deadline: deadline) {
            case .authorise(let request): authorise(request, message)
            case .answer(let response): answer(message, response, receivedAt)
            case .ignore(let why):
                loop.metrics.ignored += 1
                logger.notice("message ignored", metadata: ["reason": "\(why)"])
            }
        } catch {
            loop.metrics.undecodable += 1
            logger.notice("message refused", metadata: ["fault": "\(error)"])
            answer(message, responses.formatError(message), receivedAt)
        }
    }

    // MARK: - Requests

    private func authorise(_ request: AuthorisationRequest, _ message: Message) {
        perform(state.accepted())
        Task.immediate(executorPreference: loop.executor) { [self] in
            let result = await loop.services.decide(request)
            finish(message, result, request.receivedAt)
        }
    }

    private func finish(
        _ message: Message, _ result: Result<Decision, CouldNotDecide>, _ receivedAt: UInt64
    ) {
        switch result {
        case .success(let decision):
            loop.metrics.passed(decision.times)
            answer(message, responses.response(to: message, decision), receivedAt)
        case .failure(let failure):
            logger.error("request not decided", metadata: ["reason": "\(failure)"])
            answer(message, responses.response(to: message, failure), receivedAt)
        }
        perform(state.answered())
    }

    private func answer(_ request: Message, _ response: Message?, _ receivedAt: UInt64) {
        guard var response else { return }
        guard context != nil else {
            loop.metrics.lateAnswers += 1
            return
        }
        response.header = link.codec.responseHeader(for: request)
        if !write(response), let bare = responses.answer(request, .systemMalfunction) { _ = write(bare) }
        count(response, receivedAt)
    }

    private func count(_ response: Message, _ receivedAt: UInt64) {
        let code = response.text(.responseCode).flatMap(ResponseCode.init(rawValue:)) ?? .systemMalfunction
        let index = ResponseCode.allCases.firstIndex(of: code) ?? 0
        loop.metrics.answered(index, link: link.profile.name, microseconds: (clock() &- receivedAt) / 1_000)
    }

    // MARK: - Writing

    /// - Returns: false if the dialect cannot carry the message.
    private func write(_ message: Message) -> Bool {
        encoded.removeAll(keepingCapacity: true)
        prefix.removeAll(keepingCapacity: true)
        do {
            try link.codec.encode(message, into: &encoded)
            try link.framing.appendPrefix(forPayloadCount: encoded.count, into: &prefix)
        } catch {
            logger.error("answer cannot be encoded", metadata: ["reason": "\(error)"])
            return false
        }
        outbound.writeBytes(prefix)
        outbound.writeBytes(encoded)
        if !flushScheduled {
            flushScheduled = true
            loop.services.eventLoop.execute { [self] in flush() }
        }
        return true
    }

    private func flush() {
        flushScheduled = false
        guard outbound.readableBytes > 0, let context else { return }
        context.writeAndFlush(wrapOutboundOut(outbound), promise: nil)
        outbound = context.channel.allocator.buffer(capacity: 4_096)
    }

    private func perform(_ action: ConnectionAction) {
        switch action {
        case .nothing, .stopReading: break
        case .resumeReading:
            if readHeld {
                readHeld = false
                context?.read()
            }
        case .close:
            // Answers of this turn of the loop go out first.
            loop.services.eventLoop.execute { [self] in
                flush()
                context?.close(promise: nil)
            }
        }
    }
}
