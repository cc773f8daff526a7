// The official Node SDKs as clients: asks every model in every dialect, whole and streamed, and prints what came.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const [url, apiKey, ...models] = process.argv.slice(2);
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
const parameters = { type: "object", properties: { city: { type: "string" } } };
const messages = [{ role: "user", content: "Hi?" }];

async function chat(model, stream) {
  const tools = [{ type: "function", function: { name: "get", parameters } }];
  const asked = { model, messages, tools };
  const said = stream
    ? await openai.chat.completions.stream({ ...asked, stream_options: { include_usage: true } }).finalChatCompletion()
    : await openai.chat.completions.create(asked);
  const { message, finish_reason } = said.choices[0];
  const calls = message.tool_calls.map((call) => JSON.parse(call.function.arguments));
  const usage = [said.usage.prompt_tokens, said.usage.completion_tokens];
  return { text: message.content, calls, finish: finish_reason, usage };
}

async function message(model, stream) {
  const asked = { model, max_tokens: 100, messages, tools: [{ name: "get", input_schema: parameters }] };
  const said = stream
    ? await anthropic.messages.stream(asked).finalMessage()
    : await anthropic.messages.create(asked);
  const text = said.content.filter((block) => block.type === "text").map((block) => block.text).join("");
  const calls = said.content.filter((block) => block.type === "tool_use").map((block) => block.input);
  const usage = [said.usage.input_tokens + said.usage.cache_read_input_tokens, said.usage.output_tokens];
  return { text, calls, finish: said.stop_reason, usage };
}

async function response(model, stream) {
  const tools = [{ type: "function", name: "get", parameters, strict: false }];
  const asked = { model, input: "Hi?", tools };
  const said = stream
    ? await openai.responses.stream(asked).finalResponse()
    : await openai.responses.create(asked);
  const items = said.output.filter((item) => item.type === "function_call");
  const calls = items.map((item) => JSON.parse(item.arguments));
  return { text: said.output_text, calls, finish: said.status, usage: [said.usage.input_tokens, said.usage.output_tokens] };
}

const dialects = { chat, message, response };
const found = {};
for (const model of models) {
  for (const [name, ask] of Object.entries(dialects)) {
    for (const stream of [false, true]) {
      const key = `${model} ${name} ${stream ? "streamed" : "whole"}`;
      try {
        found[key] = await ask(model, stream);
      } catch (error) {
        found[key] = { error: error.constructor.name, status: error.status ?? null };
      }
    }
  }
}
console.log(JSON.stringify(found));
