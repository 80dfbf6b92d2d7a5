// What a participant's browser can do in a room, and what it cannot: two sentences.
//
// A room has laptops whose browser `./lab join` has opened, everyday browsers, and phones. The page
// knows only in part which of them this is: an http page that is secure was opened by `./lab join`.
// Whether a vendor's push service can be reached, nobody knows before it was asked.

const IS_HTTP = location.protocol === "http:";

const KNOWS = [
  {
    when: ({ secure }) => !secure,
    says: "With this browser you can read along: the six steps show how far a page gets here. " +
      "It cannot receive a message, because browsers give push only to a page that came by " +
      "https, or from the same machine.",
  },
  {
    when: ({ missing, homeScreen }) => missing.length && homeScreen === false,
    says: "This iPhone or iPad can take part as soon as the page is on its Home Screen: with iOS " +
      "16.4 or later press Share, then Add to Home Screen, and open it there. In this tab it " +
      "cannot receive a message.",
  },
  {
    when: ({ missing }) => missing.length,
    says: "With this browser you can read along. It cannot receive a message: open this address " +
      "in an ordinary window of a current Firefox, Chrome, Edge or Safari, and not within " +
      "another app.",
  },
  {
    when: ({ fault }) => fault?.id === "certificate-not-trusted",
    says: "With this browser you can read along, because you went on past its warning. It cannot " +
      "receive a message, because it gives no service worker to a page whose certificate it does " +
      "not trust.",
  },
  {
    when: ({ online, fault }) => (!online && !IS_HTTP) || fault?.id.startsWith("push-service-"),
    says: "You can register the service worker and allow notifications: both are between this " +
      "browser and this page. You cannot subscribe as long as the browser does not reach its " +
      "push service, and that of an everyday browser is on the internet.",
  },
  {
    when: () => IS_HTTP,
    says: "With this browser, which ./lab join has opened, you can subscribe and receive every " +
      "message, without internet. You cannot go anywhere else with it: it is for this room alone.",
  },
  {
    when: () => true,
    says: "With this browser you can subscribe and receive messages, even when you have closed " +
      "this page. It cannot do that without internet, here and at the instructor's, unless " +
      "./lab join has opened it.",
  },
];

// Return the sentences. `facts` are those of the page; `fault` is that of the last action, or null.
export function guest(facts) {
  return KNOWS.find(({ when }) => when(facts)).says;
}
