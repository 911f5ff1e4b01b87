// Goes through the whole Agones SDK API of one game server: gRPC with Agones' own npm client, REST,
// and both ways to watch. Run it in a folder with node_modules, either beside a launched game server
// with its AGONES_SDK_GRPC_PORT and AGONES_SDK_HTTP_PORT, or as the game server itself. The server
// needs a counter `rooms` of 1 in 10, a list `players` of [test0, test1, test2] in 100, and room for
// player tracking is made here.
//
// Prints a line per rule, and at the end "all N rules hold" (exit code 0) or how many do not (1).
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';

const load = createRequire(`${process.env.AGONES_CHECK_FOLDER ?? process.cwd()}/`);
const AgonesSDK = load('@google-cloud/agones-sdk');
const restPort = Number(process.env.AGONES_SDK_HTTP_PORT);
const patience = 20_000;

let held = 0;
const broken = [];
async function rule(text, holds) {
  try {
    await holds();
    ++held;
    console.log(`holds: ${text}`);
  } catch (error) {
    broken.push(text);
    console.log(`BROKEN: ${text}: ${error?.message ?? error}`);
  }
}
async function until(what, holds) {
  const deadline = Date.now() + patience;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((go) => setTimeout(go, 20));
  }
}
async function refused(code, promise) {
  const error = await promise.then(() => null, (e) => e);
  assert.ok(error, 'it was not refused');
  assert.equal(error.code, code, error.details);
  assert.ok(error.details.length > 10, 'it says why');
}
const code = { invalidArgument: 3, notFound: 5, alreadyExists: 6, outOfRange: 11 };
const pairs = (map) => Object.fromEntries(map);

function rest(verb, path, body) {
  const text = body === undefined ? '' : JSON.stringify(body);
  return new Promise((done, fail) => {
    const request = http.request(
      { host: '127.0.0.1', port: restPort, method: verb, path, headers: { 'Content-Length': Buffer.byteLength(text) } },
      (answer) => {
        let said = '';
        answer.setEncoding('utf8');
        answer.on('data', (part) => (said += part));
        answer.on('end', () => done({ status: answer.statusCode, body: JSON.parse(said) }));
      });
    request.on('error', fail);
    request.end(text);
  });
}
async function expectRest(verb, path, body, want, status = 200) {
  const answer = await rest(verb, path, body);
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  if (want !== undefined) assert.deepEqual(answer.body, want);
  return answer.body;
}

// ---- gRPC

const sdk = new AgonesSDK();
const state = async () => (await sdk.getGameServer()).status.state;
const seen = [];
const failures = [];

await rule('it connects', () => sdk.connect());
if (broken.length > 0) process.exit(1);

await rule('the first of a watch comes at once', async () => {
  sdk.watchGameServer((server) => seen.push(server), (error) => failures.push(error));
  await until('a first GameServer', () => seen.length > 0);
});
await rule('health is a stream that stays open', async () => {
  for (let i = 0; i < 3; ++i) sdk.health((error) => failures.push(error));
  await sdk.getGameServer();
  assert.ok(sdk.healthStream.writable);
});
await rule('it says where it is', async () => {
  const { objectMeta, spec, status } = await sdk.getGameServer();
  assert.ok(objectMeta.name && objectMeta.uid && objectMeta.namespace);
  assert.ok(Math.abs(objectMeta.creationTimestamp - Date.now() / 1000) < 3600);
  assert.ok(spec.health.periodSeconds > 0);
  assert.ok(status.address);
  assert.equal(status.portsList[0].name, 'default');
  if (process.env.PORT) assert.equal(status.portsList[0].port, Number(process.env.PORT));
});
await rule('Ready, also twice', async () => {
  assert.deepEqual(await sdk.ready(), {});
  await sdk.ready();
  assert.equal(await state(), 'Ready');
});
await rule('Allocate, and Ready after it', async () => {
  await sdk.allocate();
  assert.equal(await state(), 'Allocated');
  const { objectMeta } = await sdk.getGameServer();
  assert.match(pairs(objectMeta.annotationsMap)['agones.dev/last-allocated'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  await until('the watch to have it', () => seen.some((server) => server.status.state === 'Allocated'));
  await sdk.ready();
  assert.equal(await state(), 'Ready');
});
await rule('Reserve goes back to Ready by itself', async () => {
  await sdk.reserve(1);
  assert.equal(await state(), 'Reserved');
  await until('Ready', async () => (await state()) === 'Ready');
});
await rule('labels and annotations', async () => {
  await sdk.setLabel('color', 'dark-red');
  await sdk.setAnnotation('greeting', 'any "text", ünïcode too');
  const { objectMeta } = await sdk.getGameServer();
  assert.equal(pairs(objectMeta.labelsMap)['agones.dev/sdk-color'], 'dark-red');
  assert.equal(pairs(objectMeta.annotationsMap)['agones.dev/sdk-greeting'], 'any "text", ünïcode too');
  await refused(code.invalidArgument, sdk.setLabel('color', 'dark red'));
  await refused(code.invalidArgument, sdk.setAnnotation('no key', 'x'));
});
await rule('counters', async () => {
  const { beta } = sdk;
  assert.equal(await beta.getCounterCount('rooms'), 1);
  await beta.setCounterCount('rooms', 0);
  assert.equal(await beta.getCounterCount('rooms'), 0);
  await beta.incrementCounter('rooms', 9);
  await beta.decrementCounter('rooms', 2);
  assert.equal(await beta.getCounterCount('rooms'), 7);
  await beta.setCounterCapacity('rooms', 8);
  assert.equal(await beta.getCounterCapacity('rooms'), 8);
  await refused(code.outOfRange, beta.incrementCounter('rooms', 2));
  await refused(code.outOfRange, beta.decrementCounter('rooms', 8));
  await refused(code.outOfRange, beta.setCounterCapacity('rooms', 6));
  await refused(code.notFound, beta.getCounterCount('doors'));
  assert.equal(await beta.getCounterCount('rooms'), 7);
});
await rule('lists', async () => {
  const { beta } = sdk;
  assert.deepEqual(await beta.getListValues('players'), ['test0', 'test1', 'test2']);
  await beta.appendListValue('players', 'test3');
  await beta.deleteListValue('players', 'test0');
  assert.deepEqual(await beta.getListValues('players'), ['test1', 'test2', 'test3']);
  assert.equal(await beta.listContains('players', 'test3'), true);
  assert.equal(await beta.getListLength('players'), 3);
  await refused(code.alreadyExists, beta.appendListValue('players', 'test3'));
  await refused(code.notFound, beta.deleteListValue('players', 'test0'));
  await refused(code.notFound, beta.getListValues('names'));
  await beta.setListCapacity('players', 3);  // This client sends no mask with it.
  assert.equal(await beta.getListCapacity('players'), 3);
  await refused(code.outOfRange, beta.appendListValue('players', 'test4'));
  await refused(code.outOfRange, beta.setListCapacity('players', 1001));
});
await rule('player tracking', async () => {
  const { alpha } = sdk;
  await alpha.setPlayerCapacity(1);
  assert.equal(await alpha.getPlayerCapacity(), 1);
  assert.equal(await alpha.playerConnect('ann'), true);
  assert.equal(await alpha.playerConnect('ann'), false);
  await refused(code.outOfRange, alpha.playerConnect('bob'));
  assert.equal(await alpha.isPlayerConnected('ann'), true);
  assert.deepEqual(await alpha.getConnectedPlayers(), ['ann']);
  assert.equal(await alpha.getPlayerCount(), 1);
  assert.equal(await alpha.playerDisconnect('ann'), true);
  assert.equal(await alpha.playerDisconnect('ann'), false);
});

// ---- REST

await rule('REST: states', async () => {
  await expectRest('POST', '/allocate', {}, {});
  await expectRest('POST', '/reserve', { seconds: '30' }, {});
  assert.equal((await expectRest('GET', '/gameserver')).status.state, 'Reserved');
  await expectRest('POST', '/ready', undefined, {});
  await expectRest('POST', '/health', {}, {});
  await expectRest('POST', '/health', undefined, undefined, 400);
});
await rule('REST: a GameServer has every field, its 64-bit numbers as text', async () => {
  const server = await expectRest('GET', '/gameserver');
  assert.equal(server.status.state, 'Ready');
  assert.equal(typeof server.object_meta.creation_timestamp, 'string');
  assert.equal(server.object_meta.deletion_timestamp, '0');
  assert.equal(typeof server.spec.health.disabled, 'boolean');
  assert.equal(typeof server.status.ports[0].port, 'number');
  assert.deepEqual(server.status.addresses, []);
  assert.deepEqual(server.status.counters.rooms, { count: '7', capacity: '8' });
  assert.deepEqual(server.status.lists.players, { capacity: '3', values: ['test1', 'test2', 'test3'] });
  assert.deepEqual(server.status.players, { count: '0', capacity: '1', ids: [] });
});
await rule('REST: labels and annotations', async () => {
  await expectRest('PUT', '/metadata/label', { key: 'shape', value: 'round' }, {});
  await expectRest('PUT', '/metadata/annotation', { key: 'shape', value: 'very round' }, {});
  const { object_meta: meta } = await expectRest('GET', '/gameserver');
  assert.equal(meta.labels['agones.dev/sdk-shape'], 'round');
  assert.equal(meta.annotations['agones.dev/sdk-shape'], 'very round');
});
await rule('REST: counters and lists', async () => {
  await expectRest('PATCH', '/v1beta1/counters/rooms', { countDiff: -7, capacity: '10' },
    { name: 'rooms', count: '0', capacity: '10' });
  await expectRest('PATCH', '/v1beta1/counters/rooms', { count: 11 }, undefined, 400);
  await expectRest('PATCH', '/v1beta1/lists/players', { capacity: 4 },
    { name: 'players', capacity: '4', values: ['test1', 'test2', 'test3'] });
  await expectRest('POST', '/v1beta1/lists/players:addValue', { value: 'x' });
  await expectRest('POST', '/v1beta1/lists/players:addValue', { value: 'x' }, undefined, 409);
  await expectRest('POST', '/v1beta1/lists/players:removeValue', { value: 'x' });
  const missing = await expectRest('GET', '/v1beta1/lists/names', undefined, undefined, 404);
  assert.deepEqual([missing.code, missing.details], [5, []]);
});
await rule('REST: player tracking', async () => {
  await expectRest('POST', '/alpha/player/connect', { playerID: 'cat' }, { bool: true });
  await expectRest('GET', '/alpha/player/connected/cat', undefined, { bool: true });
  await expectRest('GET', '/alpha/player/connected', undefined, { list: ['cat'] });
  await expectRest('GET', '/alpha/player/count', undefined, { count: '1' });
  await expectRest('POST', '/alpha/player/disconnect', { playerID: 'cat' }, { bool: true });
});
await rule('REST: what is not there', async () => {
  await expectRest('GET', '/nothing', undefined, { code: 5, message: 'Not Found', details: [] }, 404);
  await expectRest('DELETE', '/ready', undefined, undefined, 501);
});
await rule('REST: watching in chunks', async () => {
  let said = '';
  const request = http.get({ host: '127.0.0.1', port: restPort, path: '/watch/gameserver' }, (answer) => {
    answer.on('error', () => {}).on('data', (part) => (said += part));
  }).on('error', () => {});
  const lines = () => said.split('\n').slice(0, -1).map((line) => JSON.parse(line).result);
  await until('the first line', () => lines().length > 0);
  await sdk.setLabel('watched', 'yes');
  await until('the change', () => lines().some((s) => s.object_meta.labels['agones.dev/sdk-watched'] === 'yes'));
  request.destroy();
});
await rule('REST: watching by WebSocket', async () => {
  const request = http.get({
    host: '127.0.0.1', port: restPort, path: '/watch/gameserver',
    headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': crypto.randomBytes(16).toString('base64') },
  });
  const said = await new Promise((done, fail) => {
    request.on('error', fail).on('response', (answer) => fail(new Error(`HTTP ${answer.statusCode}`)));
    request.on('upgrade', (answer, socket, head) => {
      let bytes = head;
      const look = () => {
        if (bytes.length < 4 || (bytes[1] & 127) !== 126) return;  // A frame of 126 to 65535 bytes.
        const size = bytes.readUInt16BE(2);
        if (bytes.length >= 4 + size) done([bytes[0], bytes.subarray(4, 4 + size).toString()]), socket.destroy();
      };
      socket.on('error', () => {}).on('data', (part) => ((bytes = Buffer.concat([bytes, part])), look()));
      look();
    });
  });
  assert.equal(said[0], 0x81, 'one whole text frame');
  assert.equal(JSON.parse(said[1]).result.status.state, 'Ready');
});

// ---- The end

await rule('the watch and the health stream are still there', () => assert.deepEqual(failures, []));
await rule('Shutdown', async () => {
  let told = false;
  process.once('SIGTERM', () => (told = true));
  await sdk.shutdown();
  await until('Shutdown', async () => told || (await state()) === 'Shutdown');
});
sdk.close();
console.log(broken.length === 0 ? `all ${held} rules hold` : `${broken.length} rules do not hold`);
process.exit(broken.length === 0 ? 0 : 1);
