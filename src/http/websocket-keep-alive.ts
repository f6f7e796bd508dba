import type { WebSocket } from 'ws';

/**
 * Pings the socket, so that proxies don't take it for idle, and ends it when a ping found nobody. Returns what stops it.
 */
export function keepAlive(socket: WebSocket, intervalMs: number): () => void {
  let answered = true;
  socket.on('pong', () => {
    answered = true;
  });
  const timer = setInterval(() => {
    if (!answered) return socket.terminate();
    answered = false;
    socket.ping();
  }, intervalMs);
  return () => clearInterval(timer);
}
