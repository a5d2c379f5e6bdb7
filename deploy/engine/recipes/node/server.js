// What `npm start` of an app comes to: npm keeps its log and its cache below $HOME, then the app serves.
const fs = require("fs");
const http = require("http");
const cache = `${process.env.HOME}/.npm/_logs`;
try {
  fs.mkdirSync(cache, { recursive: true });
} catch (error) {
  console.error(`npm warn logfile could not create logs-dir: ${error}`);
}
const kept = () => (fs.existsSync(cache) ? "kept" : "lost");
const server = http.createServer((_, answer) =>
  answer.end(`hello from node, user ${process.getuid()}, cache ${kept()}\n`),
);
server.listen(process.env.PORT || 3000);
process.on("SIGTERM", () => process.exit(0));
