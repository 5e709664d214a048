//! As much of a browser as setup needs: one cookie, forms, and redirects that are followed by hand.

use reqwest::redirect::Policy;
use std::collections::BTreeMap;
use std::sync::Mutex;

pub(crate) struct Browser {
    client: reqwest::Client,
    cookie: Mutex<Option<String>>,
}

/// A page, or a redirect.
#[derive(Debug)]
pub(crate) struct Page {
    pub status: u16,
    pub text: String,
    pub location: Option<String>,
    pub policy: String,
    /// `Set-Cookie`, whole.
    pub set_cookie: Option<String>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Self { client, cookie: Mutex::default() }
    }

    pub(crate) async fn get(&self, url: &str) -> Page {
        self.send(self.client.get(url)).await
    }

    /// Posts a form, from a page of the same origin.
    pub(crate) async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Page {
        let origin = reqwest::Url::parse(url).unwrap().origin().ascii_serialization();
        self.post_from(&origin, url, fields).await
    }

    /// Posts a form from a page of any origin.
    pub(crate) async fn post_from(&self, origin: &str, url: &str, fields: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = "application/x-www-form-urlencoded";
        self.send(self.client.post(url).header("content-type", kind).header("origin", origin).body(body)).await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> Page {
        if let Some(cookie) = &*self.cookie.lock().unwrap() {
            request = request.header("cookie", cookie);
        }
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, location, set_cookie) = (answer.status().as_u16(), header("location"), header("set-cookie"));
        let policy = header("content-security-policy").unwrap_or_default();
        if let Some(told) = &set_cookie {
            let pair = told.split(';').next().unwrap();
            *self.cookie.lock().unwrap() = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        Page { status, text: answer.text().await.unwrap(), location, policy, set_cookie }
    }
}

impl Page {
    /// Returns the form's action and hidden fields.
    pub(crate) fn form(&self) -> (String, BTreeMap<String, String>) {
        let attribute = |tag: &str, name: &str| {
            let value = tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
            Some(value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
        };
        let form = self.text.split("<form").nth(1).expect("a form");
        let hidden = form.split("<input").skip(1).filter(|tag| tag.contains("type=\"hidden\""));
        let fields = hidden.map(|tag| (attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap())).collect();
        (attribute(form, "action").expect("an action"), fields)
    }
}
