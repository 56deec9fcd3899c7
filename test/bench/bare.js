// What a start of Node costs at least: alone, or up to its first request when it is told where to send one.
const url = process.env.BENCH_URL;
if (url) {
  const { request } = await import('node:http');
  request(url, { method: 'POST' })
    .on('response', (response) => response.resume())
    .end();
}
