//! Operations of the meetings API as the media plane receives them.

use std::sync::{Mutex, OnceLock};

use super::super::media::{MediaChange, MediaEffects};
use super::*;

/// Whether the engine was locked at each change: a second change cannot overtake one that is applied under the lock.
#[derive(Default)]
struct Locked {
    chime: OnceLock<Chime>,
    at_each: Mutex<Vec<bool>>,
}

impl MediaEffects for Locked {
    fn apply(&self, _: &str, _: MediaChange) {
        let chime = self.chime.get().expect("it is set before the first change");
        let locked = chime.state.try_lock().is_err();
        self.at_each.lock().expect("no test panics while it holds it").push(locked);
    }
}

#[test]
fn a_change_reaches_the_media_plane_while_the_engine_is_locked() {
    let chime = engine();
    let locked = Arc::new(Locked::default());
    assert!(locked.chime.set(chime.clone()).is_ok());
    let plane: Arc<dyn MediaEffects> = locked.clone();
    chime.attach_effects(Arc::downgrade(&plane), None);
    let meeting = made(&chime, &good_meeting());
    let create = Call::CreateAttendee { meeting: meeting.clone() };
    let attendee =
        send(&chime, &create, &json!({ "ExternalUserId": "user-1" })).expect("a good attendee is made");
    let attendee = attendee["Attendee"]["AttendeeId"].as_str().expect("it has one").to_owned();
    let update = Call::UpdateAttendeeCapabilities { meeting: meeting.clone(), attendee: attendee.clone() };
    let receive = json!({ "Capabilities": { "Audio": "Receive", "Video": "Receive", "Content": "Receive" } });
    send(&chime, &update, &receive).expect("they are good");
    send(&chime, &Call::DeleteAttendee { meeting, attendee }, &Value::Null).expect("it is there");
    // As after each request.
    chime.deliver_due_events();
    assert_eq!(*locked.at_each.lock().expect("no test panics while it holds it"), [true, true]);
}
