/** Of the library, and of the service it came with. */
export declare const version: string;

/**
 * - `connecting`: not connected so far; tries, however long the server is away
 * - `open`: connected and, with a token, authenticated
 * - `reconnecting`: was open, tries again
 * - `offline`: the browser says that there is no network; goes on with its `online` event
 * - `closed`: by {@link WsdClient.close}, or not begun
 * - `stopped`: for a reason that connecting again does not change, see {@link WsdClient.reason}
 */
export type State = "connecting" | "open" | "reconnecting" | "offline" | "closed" | "stopped";

/** Names one message of a room with history for ever. */
export interface Position {
  epoch: string;
  offset: number;
}

export interface Sender {
  /** The connection; absent where the backend sent in a user's name. */
  client?: string;
  user?: string;
}

export interface Member {
  client: string;
  user?: string;
  info?: any;
}

/** A message of a room. */
export interface Message<Data = any> extends Partial<Position> {
  room: string;
  /** `messageId` of the publisher. */
  id?: string;
  /** Absent where the backend sent in nobody's name. */
  from?: Sender;
  /** Milliseconds since 1970. */
  time: number;
  data: Data;
  /** This client published it, on this or a former connection. */
  own: boolean;
}

/** To all clients, or to this user. */
export interface Letter<Data = any> {
  id?: string;
  from?: Sender;
  time: number;
  data: Data;
  /** This client sent it (a direct message to the client's own user). */
  own: boolean;
}

export interface Joined extends Partial<Position> {
  room: string;
  members?: number;
  /** Only if it was asked for and may be seen. */
  presence?: Member[];
  /** Whether what was missed follows; only where the join said from where. */
  recovered?: boolean;
  reason?: GapReason;
  /** The server made the client a member: it had not asked. */
  byServer?: boolean;
}

/** `hole`: the server left out messages and could not repeat them. */
export type GapReason = "expired" | "epoch_changed" | "ahead" | "no_history" | "hole" | (string & {});

/** Messages of the room may have been missed: load again what is shown. */
export interface Gap {
  room: string;
  recovered: false;
  reason: GapReason;
  /** Where the room goes on; absent without history. */
  position?: Position;
}

export interface Left {
  room: string;
  /** Why the server no longer lets the client in; absent where the backend ended the membership. */
  error?: WsdError;
}

export interface Typing {
  room: string;
  client: string;
  user?: string;
  typing: boolean;
  /** Milliseconds; the library tells `typing: false` by itself when they are over. */
  expiresIn?: number;
}

export interface Read {
  room: string;
  user?: string;
  /** Stands instead of `user` for an anonymous reader. */
  client?: string;
  offset: number;
}

export interface Published extends Partial<Position> {
  room: string;
  /** The server had it already: a repetition after a lost answer. */
  duplicate?: boolean;
  /** It was dropped from the full queue, as `queue.policy` says, and never sent. */
  dropped?: true;
}

export interface HistoryPage<Data = any> extends Partial<Position> {
  room: string;
  messages: Message<Data>[];
  more: boolean;
}

export interface ServerHints {
  version: string;
  pingInterval: number;
  pongTimeout: number;
  maxMessageSize: number;
  messagesPerSecond?: number;
  burst?: number;
  reconnectMin: number;
  reconnectMax: number;
}

/** The server's greeting, without its secret. */
export interface Connected {
  client: string;
  user: string | null;
  authenticated: boolean;
  authRequired: boolean;
  /** Seconds. */
  expiresIn?: number;
  /** From the application's connect webhook. */
  data?: any;
  server: ServerHints;
}

/** Why a connection ended. */
export interface Reason {
  /** Close code, 1006 where there was none; `invalid_url`, `invalid_token`, `token_failed`, or that of the token function's error. */
  code: number | string;
  /** For a person. */
  message: string;
  /** The server's or the library's own words. */
  reason: string;
}

export interface StateChange {
  state: State;
  previous: State;
  reason?: Reason;
  /** Milliseconds until the next attempt. */
  retryIn?: number;
}

export interface Disconnected extends Reason {
  willReconnect: boolean;
  retryIn?: number;
}

/** Milliseconds. */
export interface Latency {
  last: number;
  min: number;
  max: number;
  average: number;
  count: number;
}

export interface Stats {
  state: State;
  /** Commands and events, not frames. */
  messagesIn: number;
  messagesOut: number;
  bytesIn: number;
  bytesOut: number;
  averageSizeIn: number;
  averageSizeOut: number;
  /** Milliseconds since this connection opened; 0 while there is none. */
  uptime: number;
  attempts: number;
  reconnects: number;
  latency: Latency | null;
  /** Messages that wait for being sent or acknowledged. */
  queued: number;
  queuedBytes: number;
  dropped: number;
  resent: number;
  duplicates: number;
  gaps: number;
  /** Times the library waited for a rate limit. */
  rateWaits: number;
  /** What the server refused with `rate_limited`. */
  rateLimited: number;
  /** Messages that could not be understood. */
  invalid: number;
  rooms: number;
}

export type LogLevel = "error" | "warn" | "info" | "debug";

export interface LogEntry {
  /** Milliseconds since 1970. */
  time: number;
  level: LogLevel;
  text: string;
  /** Never a token. */
  detail?: any;
}

export interface ReconnectOptions {
  /** Bound of the first wait, milliseconds. Default: the server's, 500. */
  min?: number;
  /** Bound of all waits. Default: the server's, 20000. */
  max?: number;
  /** Default 2. */
  factor?: number;
  /** Failures in a row after which it stops. Default: none. */
  attempts?: number;
  /** A connection that lasted so long begins the waits anew. Default 10000. */
  stableAfter?: number;
}

export interface QueueOptions {
  /** Messages that may wait. Default 1000. */
  limit?: number;
  /** Bytes of them together. Default 1 MiB. */
  bytes?: number;
  /** What happens to a message beyond that. Default `reject`: its promise, with `queue_full`. */
  policy?: "dropOldest" | "dropNewest" | "reject";
  /**
   * Messages to one room (or user) that may be under way at once. 1, the default, keeps their order whatever happens; more
   * are faster, but one that is refused for a moment then comes after its successors.
   */
  inFlight?: number;
  /**
   * A message whose answer was lost is sent again for so long, milliseconds. Default 240000: less than the server's
   * `history.idempotencyWindow`, so that it is not delivered twice. Then `unknown_outcome`.
   */
  resendFor?: number;
}

/** What the library takes from the world, for tests and unusual places. */
export interface Environment {
  setTimeout?(callback: () => void, milliseconds: number): unknown;
  clearTimeout?(timer: any): void;
  /** Milliseconds that only grow. */
  now?(): number;
  /** 0 ≤ x < 1. */
  random?(): number;
  fetch?: typeof fetch;
  document?: any;
  navigator?: any;
  location?: any;
  console?: any;
  /** Where `online`, `offline` and `pageshow` come from. */
  events?: any;
}

export type Token = string | null | undefined;

export interface WsdClientOptions {
  /** Absolute, or relative to the page. Default: what `config.json` beside the script, else `/wsd/config.json`, says. */
  url?: string | URL | (() => string | URL | Promise<string | URL>);
  /**
   * Says who the user is. A function is asked for the first connection, before the token ends and after it was refused;
   * if it throws, it is asked again with the next attempt, after a {@link WsdError} that is not `temporary` not any more.
   */
  token?: Token | (() => Token | Promise<Token>);
  /** Default true. */
  autoConnect?: boolean;
  /** `false`: stop at the first loss. */
  reconnect?: ReconnectOptions | false;
  /** From the attempt to `open`, milliseconds. Default 10000. */
  connectTimeout?: number;
  /** Between two pings, milliseconds. Default: the server's `pingInterval`. */
  heartbeatInterval?: number;
  /** Silence after a ping that means dead. Default: the server's `pongTimeout`. */
  heartbeatTimeout?: number;
  /** Of requests, milliseconds. Default 10000. */
  requestTimeout?: number;
  /** Without an answer a message or join is sent again on the same connection, milliseconds. Default 15000. */
  ackTimeout?: number;
  /** Requests that may wait for an answer. Default 500. */
  maxRequests?: number;
  queue?: QueueOptions;
  /** Long key to short key, in `data` of messages. */
  dictionary?: Record<string, string>;
  /** What was handed to a visible page counts as read. Default false; {@link JoinOptions.autoRead} overrides it. */
  autoRead?: boolean;
  /** Least severe level on the console, `false` for none, or where entries go instead. Default `warn`. */
  log?: LogLevel | false | ((entry: LogEntry) => void);
  /** What is sent and received is logged, at level `debug`, without tokens. Default: with `log: "debug"`. */
  logData?: boolean;
  /** Entries kept for {@link WsdClient.exportLog}. Default 500. */
  logSize?: number;
  /** Closes the client. */
  signal?: AbortSignal;
  /** Where there is no global one (Node before 22). */
  WebSocket?: any;
  env?: Environment;
}

export interface CallOptions {
  /** Milliseconds. */
  timeout?: number;
  signal?: AbortSignal;
}

export interface PublishOptions extends CallOptions {
  /** 1 to 64 bytes; one is made otherwise. */
  messageId?: string;
}

export interface JoinOptions extends CallOptions {
  /** Asks for the members, here and after each reconnect. */
  presence?: boolean;
  /** The last message the application has: what came after it follows. */
  since?: Position;
  autoRead?: boolean;
}

export interface HistoryOptions extends CallOptions {
  /** Only offsets above, with `reverse` below it. */
  from?: number;
  /** At most 1000. Default 100. */
  limit?: number;
  /** Newest first. */
  reverse?: boolean;
}

export interface RoomEvents<Data = any> {
  message: Message<Data>;
  /** Joined, also again after a reconnect. */
  joined: Joined;
  left: Left;
  gap: Gap;
  userJoined: Member & { room: string };
  userLeft: Omit<Member, "info"> & { room: string };
  typing: Typing;
  read: Read;
}

export interface ClientEvents extends RoomEvents {
  state: StateChange;
  /** The server's greeting, also after each authentication. */
  connected: Connected;
  open: Connected;
  disconnected: Disconnected;
  stopped: Reason;
  broadcast: Letter;
  direct: Letter;
  /** The token ends in so many seconds; a token function is asked by itself. */
  expiring: { expiresIn: number };
  /** A message was dropped from the full queue. */
  dropped: { type: string; room?: string; user?: string; messageId?: string };
  latency: Latency;
  /** What no promise could tell: a handler that threw, a refused event, a token function that failed. */
  error: WsdError;
  log: LogEntry;
}

/**
 * Codes of the protocol, and the library's own: `aborted`, `closed`, `disconnected`, `handler_failed`, `invalid_url`,
 * `message_too_big`, `missing_data`, `no_config`, `queue_full`, `stopped`, `timeout`, `token_failed`, `unknown_outcome`.
 */
export type ErrorCode = string;

export declare class WsdError extends Error {
  constructor(code: ErrorCode, message: string, options?: Partial<Omit<WsdError, "code" | "message">>);
  readonly name: "WsdError";
  readonly code: ErrorCode;
  /** Whether asking the same again may succeed. */
  readonly temporary: boolean;
  /** Milliseconds, where known. */
  readonly retryAfter?: number;
  /** Of the connection, where its end was the cause. */
  readonly closeCode?: number | string;
  readonly cause?: unknown;
}

declare class Emitter<Events> {
  /** Returns what ends it. A handler that throws is an `error` event of the client and harms nobody else. */
  on<Name extends keyof Events>(event: Name, handler: (value: Events[Name]) => unknown): () => void;
  once<Name extends keyof Events>(event: Name, handler: (value: Events[Name]) => unknown): () => void;
  off<Name extends keyof Events>(event: Name, handler: (value: Events[Name]) => unknown): void;
}

/** A room, joined or not. Made by {@link WsdClient.room}. */
export interface Room<Data = any> extends Emitter<RoomEvents<Data>> {
  readonly name: string;
  readonly joined: boolean;
  /** Of the last message handled, in a room with history; in a handler still of the one before. */
  readonly position: Position | null;
  /** Resolves when the server says so; joined again by itself after each reconnect, from where it was. `aborted`: left before. */
  join(options?: JoinOptions): Promise<Joined>;
  leave(): Promise<void>;
  /** Resolves when the server has it; survives reconnects. */
  publish(data: Data, options?: PublishOptions): Promise<Published>;
  history(options?: HistoryOptions): Promise<HistoryPage<Data>>;
  presence(options?: CallOptions): Promise<Member[]>;
  presenceCount(options?: CallOptions): Promise<number>;
  /** To be called at each keystroke: throttles itself, and ends by itself. */
  typing(isTyping?: boolean): void;
  /** Everything up to the offset (default: the last message handled) has been read. Sent in batches. */
  read(offset?: number): void;
}

export declare class WsdClient extends Emitter<ClientEvents> {
  constructor(options?: WsdClientOptions);
  readonly state: State;
  /** This connection; another one after a reconnect. */
  readonly id: string | null;
  readonly user: string | null;
  /** The last greeting. */
  readonly server: ServerHints | null;
  /** Where it connects to; known with the first attempt. */
  readonly url: string | null;
  /** Why the last connection ended. */
  readonly reason: Reason | null;
  readonly latency: Latency | null;
  readonly rooms: Room[];
  /** Begins, or begins again after `closed` or `stopped`; while it is under way it does nothing. */
  connect(): void;
  /** Resolves with `open`; rejects if it is closed or stopped. */
  opened(options?: CallOptions): Promise<void>;
  /** Everything that waits is rejected with `closed`. */
  close(): void;
  /** The room of that name, the same object until it is left. */
  room<Data = any>(name: string): Room<Data>;
  join<Data = any>(name: string, options?: JoinOptions): Promise<Room<Data>>;
  publish<Data = any>(room: string, data: Data, options?: PublishOptions): Promise<Published>;
  /** To all connections of a user. */
  sendTo<Data = any>(user: string, data: Data, options?: PublishOptions): Promise<{ user: string; dropped?: true }>;
  /** To all other clients. Not sent again when the connection broke before the answer: `disconnected`. */
  broadcast<Data = any>(data: Data, options?: CallOptions): Promise<{ dropped?: true }>;
  /** Asks the application: its webhook `rpc` answers types of its own. */
  request<Answer = any, Data = any>(type: string, data?: Data, options?: CallOptions): Promise<Answer>;
  /** Another token, for this connection and all to come. */
  setToken(token: WsdClientOptions["token"]): Promise<void>;
  /** The way there and back, in milliseconds. */
  ping(options?: CallOptions): Promise<number>;
  stats(): Stats;
  log(level: LogLevel, text: string, detail?: any): void;
  /** The last entries, one JSON object a line. */
  exportLog(): string;
}

/** Pieces, for the library's own tests; they change without notice. */
export declare const internals: Record<string, any>;

// Nothing else is exported.
export {};
