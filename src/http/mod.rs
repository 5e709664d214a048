//! HTTP faces: OWP REST, webhook endpoint, status page. Parse, authorise, call the engine, render.
