// Package console is a web page for people who use and operate functions: a console. It is files
// of HTML, CSS and JavaScript that browsers run as they are, and a few endpoints.
//
//	browser                                    this package                 the engine
//	GET  BASE                    ->  the page, with a strict policy
//	GET  BASE-/assets/DIGEST/..  ->  its files, which never change
//	POST BASE-/session           ->  an access key for a session     ->  the keys in force
//	any  BASE-/call/SERVICE/..   ->  as the session's access key     ->  AWS's APIs
//	any  BASE-/hearth/..         ->  as the session's access key     ->  what the admin endpoint answers
//
// The page does everything by AWS's APIs, as every client does. There is no second way to change a
// function: a request below call is handed to the handlers of the APIs, with the identity of the
// session's access key instead of a signature. So what a key may do is decided there.
//
// # Sessions
//
// A browser posts an access key once and gets a random token in a cookie. The server keeps the
// token's digest, and the key's ID. A session ends an hour after its last request, twelve hours
// after it began, when its user signs out, and when its key or the key's secret is no longer that of the
// configuration. Sessions outlive a reload, but not a restart.
//
// The cookie is sent with requests below BASE-/ only. Functions of the same site do not get it in
// their events, where they would log it. A browser sends it with requests of the console's own
// pages only (SameSite=Strict). Besides, each request must have a header that pages of other sites
// cannot set, and must not say that it comes from another site.
//
// # The page
//
// The page has no build step: ES modules, and Preact with htm for templates, which are vendored. The
// server joins the modules into one file and packs it, once, because a browser that asks for one
// module after another shows nothing meanwhile. Text is only ever set as text. The policy allows no inline script or style, and no request to
// another host.
package console
