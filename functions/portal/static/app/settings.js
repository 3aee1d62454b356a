// What the server says in the page itself, before anybody has signed in.

const element = document.querySelector('meta[name="trueup-settings"]');

export const settings = Object.freeze(JSON.parse(element.content));

// Where this release's files lie; lazily loaded modules come from the same release as the page.
export const isOnOneMachine = settings.sign_in === null;
