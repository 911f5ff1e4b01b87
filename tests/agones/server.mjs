// A game server with Agones' own npm client in it: every match lasts until somebody connects to its
// port, ends with a result, and then it is Ready for the next one. What nobody answers, because the
// node was killed, is said again.
import { createRequire } from 'node:module';
import net from 'node:net';

const load = createRequire(`${process.env.AGONES_CHECK_FOLDER ?? process.cwd()}/`);
const AgonesSDK = load('@google-cloud/agones-sdk');

const sdk = new AgonesSDK();
await sdk.connect();
const insist = async (call) => {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      console.error('again:', error.message);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
};
let match = null;
let last = null;  // The id of the newest match: a watch tells more of it than its beginning.

net.createServer(async (player) => {
  player.on('error', () => {});
  player.end(JSON.stringify(match));
  if (!match) return;
  const { id } = match;
  match = null;
  await insist(() => sdk.setAnnotation('muster-result', `winner of ${id}`));
  await insist(() => sdk.ready());
}).listen(Number(process.env.PORT), async () => {
  setInterval(() => sdk.health((error) => console.error('health:', error.message)), 500);
  const watch = () => sdk.watchGameServer((server) => {
    const said = Object.fromEntries(server.objectMeta.annotationsMap);
    const id = said['muster.dev/match-id'];
    console.log(server.status.state, id ?? '-');
    if (server.status.state === 'Allocated' && id && id !== last)
      last = id, match = { id, queue: said['muster.dev/queue'], players: said['muster.dev/players'],
        roster: JSON.parse(said['muster.dev/roster']) };
  }, (error) => {
    console.error('watch:', error.message);
    setTimeout(watch, 100);
  });
  watch();
  await sdk.ready();
});
