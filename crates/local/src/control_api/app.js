// Plays the app that embeds the call page: it opens the page for an appointment, gives it a fresh token whenever it asks,
// and lists its messages. It is for development: the tokens come from the local cloud's control API.
'use strict';

const { page, role } = document.documentElement.dataset;
const frame = document.querySelector('iframe');
const list = document.querySelector('#messages');
const query = new URLSearchParams(location.search);

function note(text) {
  const item = document.createElement('li');
  item.textContent = text;
  list.append(item);
  item.scrollIntoView();
}

async function world() {
  return (await fetch('/_local/world')).json();
}

async function token() {
  if (!query.has('sub')) {
    return (await world()).users[role].token;
  }
  const answer = await fetch('/_local/tokens', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ claims: { sub: query.get('sub') } }),
  });
  return (await answer.json()).token;
}

// A message is an object, or the JSON text of one.
function read(data) {
  if (typeof data !== 'string') {
    return data ?? {};
  }
  try {
    return JSON.parse(data);
  } catch {
    return { event: data };
  }
}

window.addEventListener('message', async (message) => {
  if (message.source !== frame.contentWindow || message.origin !== page) {
    return;
  }
  const said = read(message.data);
  note(`${new Date().toISOString().slice(11, 23)} ${said.event} ${JSON.stringify(said.data ?? {})}`);
  if (said.event === 'PAGE_READY' || said.event === 'TOKEN_REQUIRED') {
    frame.contentWindow.postMessage({ type: 'medzen.join', token: await token() }, page);
  }
});

(async () => {
  const appointment = query.get('appointment') ?? (await world()).appointmentId;
  frame.src = `${page}/call/${encodeURIComponent(appointment)}`;
})();
