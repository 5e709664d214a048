// The first generation of the published client: node sdk.mjs URL TOKEN, or node sdk.mjs COMMAND ARGUMENT…
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const [first, ...rest] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${rest[0]}` };
const transport = first.startsWith('http')
  ? new StreamableHTTPClientTransport(new URL(first), { requestInit: { headers } })
  : new StdioClientTransport({ command: first, args: rest, env: process.env });
const client = new Client({ name: 'test', version: '0' });
await client.connect(transport);
const { tools } = await client.listTools();
const { structuredContent } = await client.callTool({ name: 'list_tasks', arguments: {} });
const { prompts } = await client.listPrompts();
const { resourceTemplates } = await client.listResourceTemplates();
await client.close();
console.log(JSON.stringify({
  era: 'legacy', tools: tools.length, tasks: structuredContent.tasks.length, prompts: prompts.length, templates: resourceTemplates.length,
}));
