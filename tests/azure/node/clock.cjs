// Lets a Node program live on the loopback's virtual time: stdin brings the seconds it is ahead, one number a line; each is confirmed.
// When stdin ends the loopback is gone, and so are we.
"use strict";

const RealDate = globalThis.Date;
const realNow = RealDate.now.bind(RealDate);
let ahead = 0;

RealDate.now = () => realNow() + ahead;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, given, asked) => Reflect.construct(target, given.length ? given : [RealDate.now()], asked),
});

require("node:readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    ahead = Number(line) * 1000;
    process.stdout.write("ahead\n");
  })
  .on("close", () => process.exit(0));
