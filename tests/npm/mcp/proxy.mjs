// Adds a token to each request and changes nothing else: node proxy.mjs TARGET_PORT TOKEN. The first line is its own port.
import { createServer, request } from 'node:http';

const [port, token] = process.argv.slice(2);
const server = createServer((asked, answer) => {
  const headers = { ...asked.headers, authorization: `Bearer ${token}` };
  const passed = request({ host: '127.0.0.1', port, method: asked.method, path: asked.url, headers }, (told) => {
    answer.writeHead(told.statusCode, told.headers);
    told.pipe(answer);
  });
  passed.on('error', () => answer.destroy());
  asked.pipe(passed);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
