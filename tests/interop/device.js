// SPDX-License-Identifier: Apache-2.0
// Azure's device SDK, used as its own samples use it. Says what happens as JSON lines; a line
// "send N" on standard input sends N messages, "upload NAME N" a file of N bytes, "close" ends it.
// TRANSPORT=ws: MQTT over WebSocket.
'use strict';
const fs = require('fs');
const readline = require('readline');
const { Client, ModuleClient, Message } = require('azure-iot-device');
const { Mqtt, MqttWs } = require('azure-iot-device-mqtt');
const { Readable } = require('stream');

const say = (what, data) => console.log(JSON.stringify({ what, data }));
const fail = (where) => (error) => {
  say('failed', `${where}: ${error.name}: ${error.message}`);
  process.exit(1);
};

const text = process.env.CONNECTION_STRING;
const kind = text.includes('ModuleId=') ? ModuleClient : Client;
const client = kind.fromConnectionString(text, process.env.TRANSPORT === 'ws' ? MqttWs : Mqtt);

const options = { ca: fs.readFileSync(process.env.CA_FILE, 'utf8') };
if (process.env.CERTIFICATE) {
  options.cert = fs.readFileSync(process.env.CERTIFICATE + '.pem', 'utf8');
  options.key = fs.readFileSync(process.env.CERTIFICATE + '.key', 'utf8');
}

async function send(count) {
  for (let i = 0; i < count; i++) {
    const message = new Message(JSON.stringify({ i }));
    message.messageId = `${process.pid}-${i}`;
    message.contentType = 'application/json';
    message.contentEncoding = 'utf-8';
    message.properties.add('a b', 'x/y&z=+#é');
    await client.sendEvent(message);
  }
  say('sent', count);
}

async function upload(name, size) {
  const data = Buffer.alloc(size, 'vedette');
  await client.uploadToBlob(name, Readable.from([data]), size);
  say('uploaded', name);
}

function onMessage(message) {
  say('message', {
    id: message.messageId,
    text: message.getData().toString(),
    contentType: message.contentType,
    correlationId: message.correlationId,
    properties: message.properties.propertyList,
  });
  client.complete(message, (error) => {
    if (error) fail('complete')(error);
  });
}

async function main() {
  await client.setOptions(options);
  if (process.env.LISTEN) client.on('message', onMessage);
  client.on('disconnect', () => say('disconnect'));
  await client.open();
  say('open');
  const twin = await client.getTwin();
  say('twin', twin.properties);
  twin.on('properties.desired', (desired) => {
    say('desired', desired);
    twin.properties.reported.update({ seen: desired.$version, gone: null }, (error) => {
      if (error) fail('reported')(error);
      say('reported', desired.$version);
    });
  });
  const onMethod = (client.onDeviceMethod || client.onMethod).bind(client);
  onMethod('echo', (request, response) => {
    response.send(200, { got: request.payload }, (error) => {
      if (error) fail('method')(error);
    });
  });
  say('ready');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [verb, count] = line.split(' ');
    if (verb === 'send') await send(Number(count));
    if (verb === 'upload') await upload(count, Number(line.split(' ')[2]));
    if (verb === 'twin') say('twin', await new Promise((resolve, reject) => {
      twin.get((error) => (error ? reject(error) : resolve(twin.properties)));
    }));
    if (verb === 'close') break;
  }
  await client.close();
  say('closed');
  process.exit(0);
}

main().catch(fail('main'));
