// The second generation of the published client: node client.mjs MODE URL TOKEN, or node client.mjs MODE COMMAND ARGUMENT…
// MODE is auto, legacy or a revision.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const [mode, first, ...rest] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${rest[0]}` };
const transport = first.startsWith('http')
  ? new StreamableHTTPClientTransport(new URL(first), { requestInit: { headers } })
  : new StdioClientTransport({ command: first, args: rest, env: process.env });
const wanted = ['auto', 'legacy'].includes(mode) ? mode : { pin: mode };
const client = new Client({ name: 'test', version: '0' }, { versionNegotiation: { mode: wanted } });
await client.connect(transport);
const era = client.getProtocolEra();
const { tools } = await client.listTools();
const { structuredContent } = await client.callTool({ name: 'list_tasks', arguments: {} });
const { prompts } = await client.listPrompts();
const { resourceTemplates } = await client.listResourceTemplates();
await client.close();
console.log(JSON.stringify({
  era, tools: tools.length, tasks: structuredContent.tasks.length, prompts: prompts.length, templates: resourceTemplates.length,
}));
