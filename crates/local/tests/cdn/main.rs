//! The call page's bucket and distribution: what is served and how, and how `make cdn` fills it.

mod alarms;
mod api;
mod edge;
mod formation;
mod origin;
mod params;
mod script;
mod serving;
mod stack;
mod upload;
