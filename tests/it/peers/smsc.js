// An SMSC that follows a script, on node-smpp: smsc.js PORT LEDGER; credentials robot/right; what a number ends with decides.
const smpp = require('smpp');
const fs = require('fs');

const [port, ledger] = process.argv.slice(2);
let taken = 0;
let refusals = 0;
let cut = false;

const server = smpp.createServer((session) => {
  session.on('error', () => {});
  session.on('bind_transceiver', (pdu) => {
    const right = pdu.system_id === 'robot' && pdu.password === 'right';
    session.send(pdu.response({ command_status: right ? 0 : smpp.ESME_RINVPASWD, system_id: 'SMSC' }));
  });
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    session.close();
  });
  session.on('submit_sm', (pdu) => {
    const to = pdu.destination_addr;
    if (to.endsWith('0404')) return session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
    // Every 50th is too fast, and told so three times at most for each.
    if (++refusals % 50 === 0) return session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
    if (to.endsWith('0777') && !cut) {
      cut = true;
      return session.socket.destroy();
    }
    if (to.endsWith('0666')) return undefined; // never answered
    const id = `m${++taken}`;
    const text = pdu.short_message;
    fs.appendFileSync(ledger, JSON.stringify({
      id, to, from: pdu.source_addr, ton: pdu.source_addr_ton, receipt: pdu.registered_delivery, coding: pdu.data_coding,
      text: text.message, udh: text.udh ? Array.from(text.udh[0] || text.udh) : null,
    }) + '\n');
    session.send(pdu.response({ message_id: id }));
    if (pdu.registered_delivery) {
      session.deliver_sm({
        source_addr: to, destination_addr: pdu.source_addr, esm_class: 4,
        short_message: `id:${id} sub:001 dlvrd:001 submit date:2311142213 done date:2311142214 stat:DELIVRD err:000 text:`,
      });
    }
    return undefined;
  });
});
server.listen(Number(port), '127.0.0.1');
