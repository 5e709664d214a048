// A GitHub App on Probot that stores each delivery in SQLite before it answers. Arguments: the port and the database's file.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { Probot, createNodeMiddleware } from "probot";

const [port, file, secret] = process.argv.slice(2);
const database = new DatabaseSync(file);
database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
database.exec("CREATE TABLE deliveries (id TEXT PRIMARY KEY, event TEXT NOT NULL, payload TEXT NOT NULL) STRICT");
const store = database.prepare("INSERT INTO deliveries (id, event, payload) VALUES (?, ?, ?)");

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const probot = new Probot({
  appId: 1,
  privateKey: privateKey.export({ type: "pkcs1", format: "pem" }),
  secret,
  logLevel: "fatal",
});
const app = (app) => app.onAny(({ id, name, payload }) => void store.run(id, name, JSON.stringify(payload)));
const middleware = await createNodeMiddleware(app, { probot, webhooksPath: "/github/webhooks" });
createServer(middleware).listen(Number(port), "127.0.0.1");
