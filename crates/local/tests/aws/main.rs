//! The AWS endpoint as the real SDK meets it.

mod chime;
mod comprehend_medical;
mod data;
mod events;
mod faults;
mod fixture;
mod objects;
mod pipelines;
mod roles;
mod signature;
mod transcribe;
mod transcription;
