import { createServer } from 'node:http';

/** A model that costs next to nothing, in a process of its own: any POST is answered with a probability, any GET with how many came. */
const answer = JSON.stringify({ probability: 0.75 });
let asked = 0;
const server = createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  if (request.method !== 'POST') {
    response.end(JSON.stringify({ asked }));
    return;
  }
  asked += 1;
  request.resume().once('end', () => response.end(answer));
});
server.listen(Number(process.argv[2]), '127.0.0.1');
