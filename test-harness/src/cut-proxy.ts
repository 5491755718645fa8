/**
 * A TCP proxy that can be cut like a network: while it is, nothing passes in either direction, not even
 * the end of a connection, and neither side is told. After the heal what was on its way arrives late.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class CutProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: () => string;
  readonly #sockets = new Set<Socket>();
  /** What is done as soon as the way is open again. */
  #late: (() => void)[] = [];
  #isCut = false;

  /** @param target where connections go; asked for each anew */
  constructor(target: () => string) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (near) => {
      this.#track(near);
      near.pause();
      this.#whenOpen(() => this.#join(near));
    });
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${address}:${port}`;
  }

  async listen(host = '127.0.0.1'): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, host, resolve);
    });
    return this;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  heal(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.resume();
    const late = this.#late;
    this.#late = [];
    for (const each of late) each();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(near: Socket): void {
    if (near.destroyed) return;
    const { hostname, port } = new URL(this.#target());
    const far = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    this.#track(far);
    this.#forward(near, far);
    this.#forward(far, near);
    near.resume();
  }

  #forward(from: Socket, to: Socket): void {
    from.on('data', (chunk) => {
      // What was read before the cut took hold waits for the heal.
      this.#whenOpen(() => {
        if (to.writable && !to.write(chunk)) from.pause();
      });
    });
    to.on('drain', () => {
      if (!this.#isCut) from.resume();
    });
    from.on('end', () => this.#whenOpen(() => to.end()));
    from.on('close', () => this.#whenOpen(() => to.destroy()));
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    // A reset shows itself as the end of the connection.
    socket.on('error', () => undefined);
  }

  #whenOpen(act: () => void): void {
    if (this.#isCut) this.#late.push(act);
    else act();
  }
}
