// llhttp as undici uses it: requests to a server of this process, in several forms, and answers that are wrong.
import { createServer } from 'node:http';
import net from 'node:net';
import { Client, request } from 'undici';

const server = createServer((incoming, response) => {
  const chunks = [];
  incoming.on('data', (chunk) => chunks.push(chunk));
  incoming.on('end', () => {
    response.setHeader('x-long', 'v'.repeat(3000));
    if (incoming.url === '/chunked') for (let i = 0; i < 50; i++) response.write(`${i},`.repeat(i));
    if (incoming.url === '/empty') response.statusCode = 204;
    response.end(
      incoming.url === '/empty' ? undefined : `${incoming.method} ${Buffer.concat(chunks).length}`,
    );
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;
const results = [];
for (const [path, method, body] of [
  ['/', 'GET'],
  ['/chunked', 'GET'],
  ['/empty', 'GET'],
  ['/post', 'POST', 'x'.repeat(100_000)],
]) {
  const { statusCode, headers, body: answer } = await request(`${origin}${path}`, { method, body });
  results.push([statusCode, headers['x-long']?.length, headers['transfer-encoding'], await answer.text()]);
}
server.close();
server.closeAllConnections();

const wrong = [
  'HTTP/1.1 999999 No\r\n\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'HTTP/1.1 200 OK\r\nA B: c\r\n\r\n',
];
for (const text of wrong) {
  const answering = net.createServer((socket) => socket.on('error', () => {}).end(text));
  await new Promise((resolve) => answering.listen(0, '127.0.0.1', resolve));
  const client = new Client(`http://127.0.0.1:${answering.address().port}`);
  const outcome = await client
    .request({ path: '/', method: 'GET' })
    .then(({ body }) => body.text())
    .catch((error) => [error.name, error.code, error.message]);
  results.push(outcome);
  await client.destroy();
  answering.close();
}
console.log(JSON.stringify(results));
