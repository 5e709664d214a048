// Jobs of Graphile Worker on PostgreSQL, each added and run. Arguments: the database's URL and the seconds to run.
// Prints the jobs run a second as JSON. Nothing else goes to the standard output.
import { Logger, makeWorkerUtils, run } from "graphile-worker";

const [connectionString, seconds] = process.argv.slice(2);
const ADDERS = 20;
let ran = 0;
const waiting = new Map();
const utils = await makeWorkerUtils({ connectionString, maxPoolSize: ADDERS });
await utils.migrate();
const task = async ({ id }) => {
  ran += 1;
  waiting.get(id)?.();
  waiting.delete(id);
};
const runner = await run({
  connectionString,
  concurrency: ADDERS,
  maxPoolSize: ADDERS,
  noHandleSignals: true,
  logger: new Logger(() => () => {}),
  taskList: { task },
});

// Each adder waits for its job before it adds the next, as a worker of the pool waits for its responses.
let next = 0;
let over = false;
const adder = async () => {
  while (!over) {
    const id = (next += 1);
    const done = new Promise((resolve) => waiting.set(id, resolve));
    await utils.addJob("task", { id });
    await done;
  }
};
const adders = Array.from({ length: ADDERS }, adder);
await new Promise((resolve) => setTimeout(resolve, 1000));
const [before, began] = [ran, performance.now()];
await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000));
console.log(JSON.stringify({ per_second: ((ran - before) * 1000) / (performance.now() - began) }));
over = true;
await Promise.all(adders);
await runner.stop();
await utils.release();
process.exit(0);
