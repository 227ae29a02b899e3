//! A media pipeline in the meeting.

use super::*;
use crate::attendee::Recorder;

fn recorder(name: &str) -> Recorder {
    Recorder { attendee_id: name.to_owned(), external_user_id: format!("aws:MediaPipeline-{name}") }
}

fn came(streams: Vec<AudioStream>) -> Vec<(String, String)> {
    streams.into_iter().filter_map(|stream| Some((stream.attendee_id?, stream.external_user_id?))).collect()
}

#[test]
fn everyone_sees_a_recorder_come_and_go_and_no_event_is_made_of_it() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    driver.take(a);
    driver.events();
    driver.input(Input::RecorderJoined { recorder: recorder("r") });
    let streams = driver.presence(a);
    assert_eq!(came(streams.clone()), [("r".to_owned(), "aws:MediaPipeline-r".to_owned())]);
    let number = streams[0].audio_stream_id;
    driver.input(Input::RecorderLeft);
    let gone = driver.presence(a);
    assert_eq!(
        (gone.len(), gone[0].audio_stream_id, gone[0].dropped),
        (1, number, None),
        "it left by itself"
    );
    driver.input(Input::RecorderLeft);
    assert_eq!(driver.presence(a), []);
    assert_eq!(driver.events(), []);
    assert_eq!(driver.room.participants().count(), 1, "it is no participant");
}

#[test]
fn who_comes_later_finds_the_recorder_in_the_first_presence_frame() {
    let mut driver = Driver::new();
    driver.input(Input::RecorderJoined { recorder: recorder("r") });
    let a = driver.join(attendee("a", SEND_RECEIVE));
    let names: Vec<String> = came(driver.presence(a)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a", "r"]);
}

#[test]
fn a_second_recorder_takes_the_place_of_the_first_under_a_higher_number() {
    let mut driver = Driver::new();
    let a = driver.join(attendee("a", SEND_RECEIVE));
    driver.input(Input::RecorderJoined { recorder: recorder("r1") });
    driver.take(a);
    driver.input(Input::RecorderJoined { recorder: recorder("r2") });
    let streams = driver.presence(a);
    let ids: Vec<Option<&str>> = streams.iter().map(|stream| stream.attendee_id.as_deref()).collect();
    assert_eq!(ids, [None, Some("r2")]);
    assert!(streams[1].audio_stream_id > streams[0].audio_stream_id);
}

#[test]
fn no_recorder_is_in_a_meeting_that_has_ended() {
    let mut driver = Driver::new();
    driver.input(Input::RecorderJoined { recorder: recorder("r1") });
    driver.input(Input::MeetingEnded);
    driver.input(Input::RecorderJoined { recorder: recorder("r2") });
    assert_eq!(driver.room.recorder, None);
}
