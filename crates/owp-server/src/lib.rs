//! The server's faces: the Open Work Protocol and the pages (`http`), and the shapes of what is sent (`wire`).

pub mod http;
pub mod wire;
