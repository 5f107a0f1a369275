/** A process that answers every request at once: what asking it takes is what this machine takes, and no gateway. */
import { createServer } from 'node:http';

const server = createServer((_, response) => {
  response.setHeader('content-length', 2);
  response.end('{}');
});
// Whoever asks may be held up for long, and must find its connection again.
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.send?.(address?.port);
});
process.on('disconnect', () => process.exit(0));
