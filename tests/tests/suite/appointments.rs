//! Appointments: they stay at their time on the clock, part of a series changes alone, and nobody is told of what does not
//! take place.

use chrono::TimeDelta;
use entity::access::Role;
use entity::id::{Id, UserId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::api_keys::secret;
use crate::files::{get, header};
use crate::given::{self, CREATE_APPOINTMENT, CREATE_CALL, CREATE_TASK, HOLD_APPOINTMENT, role};

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateAppointmentInput!, $part: OccurrenceInput, $version: Int) {
  updateAppointment(id: $id, input: $input, occurrence: $part, expectedVersion: $version) {
    appointment { id subject startsAt endsAt rule lastEndsAt originalAt series { id } attendees { response user { id } } }
    userErrors { code message field } } }";

const CANCEL: &str =
    "mutation ($id: ID!, $part: OccurrenceInput) { cancelAppointment(id: $id, occurrence: $part) {
  appointment { id state rule } userErrors { code field } } }";

const RESPOND: &str = "mutation ($id: ID!, $response: AttendeeResponse!, $part: OccurrenceInput) {
  respondToAppointment(id: $id, response: $response, occurrence: $part) {
    appointment { id attendees { response user { id } } } userErrors { code field } } }";

const CALENDAR: &str = "query ($from: Date!, $days: Int, $zone: String, $users: [ID!], $teams: [ID!]) {
  calendar(from: $from, days: $days, timeZone: $zone, userIds: $users, teamIds: $teams) {
    calendar { timeZone entries { id kind subject startsAt endsAt allDay firstOn lastOn userIds occurrenceAt
      appointment { id subject } call { subject } task { title } } }
    userErrors { code message field } } }";

const FREE_BUSY: &str = "query ($users: [ID!]!, $from: DateTime!, $until: DateTime!) {
  freeBusy(userIds: $users, from: $from, until: $until) {
    freeBusy { users { user { name } busy { startsAt endsAt } } free { startsAt endsAt } }
    userErrors { code field } } }";

/// Sends something as a user, or as the administrator; gives its payload.
async fn send(app: &App, user: Option<UserId>, query: &str, variables: Value) -> Value {
    let token = match user {
        Some(user) => app.token_for(user).await,
        None => app.token(),
    };
    let reply = app.send_as(Some(&token), query, variables).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    reply.data.as_object().and_then(|data| data.values().next()).cloned().expect("a payload")
}

/// Makes an appointment of half an hour.
async fn meet(app: &App, at: &str, more: Value) -> Value {
    let mut input =
        json!({ "subject": "Coffee", "when": { "at": { "startsAt": at, "durationMin": 30 } } });
    for (field, value) in more.as_object().expect("an object") {
        input[field] = value.clone();
    }
    let made = send(app, None, CREATE_APPOINTMENT, json!({ "input": input })).await;
    assert_eq!(made["userErrors"], json!([]));
    made["appointment"].clone()
}

async fn customer(app: &App, name: &str) -> Value {
    json!(given::customer(app, name, "vi", "VND").await)
}

/// A person at a customer.
async fn contact(app: &App, customer: &Value) -> Value {
    let add = "mutation ($id: ID!) { createContact(customerId: $id, input: { name: \"Mai\" }) { contact { id } userErrors { code } } }";
    send(app, None, add, json!({ "id": customer })).await["contact"]["id"].clone()
}

/// When what a user has begins, within some days.
async fn starts(app: &App, user: UserId, from: &str, days: i32) -> Vec<String> {
    let calendar = json!({ "from": from, "days": days, "zone": "UTC", "users": [user.global()] });
    let calendar = send(app, Some(user), CALENDAR, calendar).await;
    let entries = calendar["calendar"]["entries"].as_array().expect("entries").clone();
    entries
        .iter()
        .map(|entry| entry["startsAt"].as_str().expect("a time")[..16].to_owned())
        .collect()
}

/// How often a user was reminded.
async fn reminded(app: &App, user: UserId) -> u64 {
    app.drain().await;
    let query = "{ notifications(filter: { kind: { eq: REMINDER } }) { totalCount } }";
    let told = app.send_as(Some(&app.token_for(user).await), query, json!({})).await;
    told.data["notifications"]["totalCount"].as_u64().expect("a count")
}

on_both_stacks! {
    /// Nine in the morning stays nine in the morning when clocks are put forward or back, and each day has it once.
    async fn a_series_stays_at_its_time_on_the_clock(app: App) {
        let user = app.user(Role::Sales.id()).await.0;
        let series = json!({ "timeZone": "Europe/Paris", "repeats": "FREQ=DAILY;COUNT=4", "userIds": [user.global()] });
        let made = meet(app, "2027-03-27T01:30:00Z", series).await;
        assert_eq!((&made["rule"], &made["lastEndsAt"]), (&json!("FREQ=DAILY;COUNT=4"), &json!("2027-03-30T01:00:00+00:00")));
        // 02:30 on the 28th is skipped there, and comes as late as the offset before says.
        let found = ["2027-03-27T01:30", "2027-03-28T01:30", "2027-03-29T00:30", "2027-03-30T00:30"];
        assert_eq!(starts(app, user, "2027-03-20", 30).await, found);
        let autumn = json!({ "timeZone": "Europe/Paris", "repeats": "FREQ=WEEKLY;BYDAY=SU;UNTIL=20271107", "userIds": [user.global()] });
        meet(app, "2027-10-24T00:30:00Z", autumn).await;
        assert_eq!(starts(app, user, "2027-10-01", 60).await, ["2027-10-24T00:30", "2027-10-31T00:30", "2027-11-07T01:30"]);
    }

    /// One occurrence is moved, another one called off, and from a third one on the series is at another time.
    async fn part_of_a_series_changes_alone(app: App) {
        let user = app.user(Role::Sales.id()).await.0;
        let series = json!({ "timeZone": "UTC", "repeats": "FREQ=DAILY;COUNT=6", "userIds": [user.global()], "reminders": ["PT15M"] });
        let id = meet(app, "2026-11-09T09:00:00Z", series).await["id"].clone();
        let at = |day: u32| json!({ "at": format!("2026-11-{day:02}T09:00:00Z") });
        let moved = |time: &str| json!({ "when": { "at": { "startsAt": time, "durationMin": 60 } } });
        let one = json!({ "id": id, "input": moved("2026-11-10T15:00:00Z"), "part": at(10) });
        let one = send(app, None, UPDATE, one).await;
        assert_eq!(one["appointment"]["series"]["id"], id);
        assert_eq!(one["appointment"]["originalAt"], "2026-11-10T09:00:00+00:00");
        let again = json!({ "id": id, "input": { "subject": "Tea" }, "part": at(10) });
        let again = send(app, None, UPDATE, again).await;
        assert_eq!(again["appointment"]["id"], one["appointment"]["id"], "an occurrence has one exception");
        send(app, None, CANCEL, json!({ "id": id, "part": at(11) })).await;
        let mut rest = at(13);
        rest["part"] = json!("THIS_AND_FOLLOWING");
        let rest = json!({ "id": id, "input": moved("2026-11-13T07:00:00Z"), "part": rest });
        let rest = send(app, None, UPDATE, rest).await;
        assert_eq!(rest["appointment"]["rule"], "FREQ=DAILY;COUNT=2");
        let found = ["2026-11-09T09:00", "2026-11-10T15:00", "2026-11-12T09:00", "2026-11-13T07:00", "2026-11-14T07:00"];
        assert_eq!(starts(app, user, "2026-11-01", 30).await, found);
        let none = send(app, None, UPDATE, json!({ "id": id, "input": {}, "part": at(20) })).await;
        assert_eq!(none["userErrors"][0]["code"], "NOT_FOUND");
        assert_eq!(none["userErrors"][0]["field"], json!(["occurrence", "at"]));
        // Who takes part is asked again about what has another time, and reminded of all that takes place.
        let responses = rest["appointment"]["attendees"].as_array().expect("attendees");
        assert_eq!(responses.iter().filter(|one| one["response"] == "AWAITED").count(), 1);
        for day in 1..=16 {
            app.advance(TimeDelta::days(1));
            assert!(reminded(app, user).await <= 5, "on day {day}");
        }
        assert_eq!(reminded(app, user).await, 5);
    }

    /// A series that gets another time forgets the exceptions to the old one, apart from what has taken place.
    async fn a_series_with_another_time_forgets_its_exceptions(app: App) {
        let user = app.user(Role::Sales.id()).await.0;
        let series = json!({ "timeZone": "UTC", "repeats": "FREQ=DAILY;COUNT=4", "userIds": [user.global()] });
        let id = meet(app, "2026-11-09T09:00:00Z", series).await["id"].clone();
        let held = json!({ "id": id, "at": "2026-11-09T09:00:00Z", "note": "It was good" });
        let held = send(app, None, HOLD_APPOINTMENT, held).await;
        assert_eq!((&held["appointment"]["state"], &held["appointment"]["series"]["id"]), (&json!("HELD"), &id));
        send(app, None, CANCEL, json!({ "id": id, "part": { "at": "2026-11-10T09:00:00Z" } })).await;
        let which = send(app, None, HOLD_APPOINTMENT, json!({ "id": id })).await;
        assert_eq!(which["userErrors"][0]["field"], json!(["occurrenceAt"]), "a series is not held as a whole");
        let later = json!({ "id": id, "input": { "when": { "at": { "startsAt": "2026-11-10T10:00:00Z", "durationMin": 30 } },
            "repeats": "FREQ=DAILY;COUNT=2" } });
        send(app, None, UPDATE, later).await;
        let found = ["2026-11-09T09:00", "2026-11-10T10:00", "2026-11-11T10:00"];
        assert_eq!(starts(app, user, "2026-11-01", 30).await, found);
        let off = send(app, None, CANCEL, json!({ "id": id })).await;
        assert_eq!(off["appointment"]["state"], "CANCELLED");
        assert_eq!(starts(app, user, "2026-11-01", 30).await, ["2026-11-09T09:00"]);
        let change = send(app, None, UPDATE, json!({ "id": id, "input": { "subject": "B" } })).await;
        assert_eq!(change["userErrors"][0]["code"], "INVALID_STATE");
    }

    /// Who takes part sees the appointment whatever their role; who declines is not reminded, and others go on.
    async fn who_takes_part_sees_it_and_says_whether_they_come(app: App) {
        let (guest, other) = (app.user(Role::Accountant.id()).await.0, app.user(Role::Sales.id()).await.0);
        let stranger = app.user(Role::Sales.id()).await.0;
        let whom = json!({ "userIds": [guest.global(), other.global(), guest.global()], "reminders": ["PT15M", "P1D"] });
        let made = meet(app, "2026-11-09T09:00:00Z", whom).await;
        let organizer = &made["organizer"]["id"];
        assert_eq!(made["attendees"].as_array().map(Vec::len), Some(3), "nobody takes part twice");
        assert_eq!(made["attendees"][0], json!({ "response": "ACCEPTED", "user": { "id": organizer }, "contact": null }));
        assert_eq!(made["reminders"].as_array().map(Vec::len), Some(6));
        let id = made["id"].clone();
        let no = send(app, Some(guest), RESPOND, json!({ "id": id, "response": "DECLINED" })).await;
        assert_eq!(no["userErrors"], json!([]));
        let yes = send(app, Some(other), RESPOND, json!({ "id": id, "response": "ACCEPTED" })).await;
        let said = yes["appointment"]["attendees"].as_array().expect("attendees").iter().map(|one| one["response"].clone());
        assert_eq!(said.collect::<Vec<_>>(), ["ACCEPTED", "DECLINED", "ACCEPTED"]);
        let refused = send(app, Some(stranger), RESPOND, json!({ "id": id, "response": "ACCEPTED" })).await;
        assert_eq!(refused["userErrors"][0]["code"], "INVALID_STATE");
        assert_eq!(starts(app, guest, "2026-11-09", 1).await, [""; 0]);
        assert_eq!(starts(app, other, "2026-11-09", 1).await, ["2026-11-09T09:00"]);
        app.advance(TimeDelta::days(6) + TimeDelta::hours(7));
        assert_eq!((reminded(app, guest).await, reminded(app, other).await), (0, 2));
    }

    /// An API key reads what it is for: that its owner takes part lets it see nothing.
    async fn a_key_sees_no_appointments_without_the_permission(app: App) {
        meet(app, "2026-11-09T09:00:00Z", json!({})).await;
        let list = "{ appointments { totalCount nodes { attendees { response } } } }";
        let other = secret(app, &["READ_PRODUCTS"]).await;
        assert_eq!(app.send_as(Some(&other), list, json!({})).await.error_code(), Some("FORBIDDEN"));
        let reader = secret(app, &["READ_APPOINTMENTS"]).await;
        let seen = app.send_as(Some(&reader), list, json!({})).await;
        assert_eq!(seen.data["appointments"]["totalCount"], 1);
        assert_eq!(seen.data["appointments"]["nodes"][0]["attendees"].as_array().map(Vec::len), Some(1));
    }

    /// An appointment that is moved nearer than its reminder is reminded of at once, and one that is called off, deleted
    /// or whose customer is gone not at all.
    async fn reminders_follow_what_becomes_of_an_appointment(app: App) {
        let user = app.user(Role::Sales.id()).await.0;
        let whom = json!({ "userIds": [user.global()], "reminders": ["P1D"] });
        let near = meet(app, "2026-11-20T09:00:00Z", whom.clone()).await["id"].clone();
        let off = meet(app, "2026-11-20T09:00:00Z", whom.clone()).await["id"].clone();
        let deleted = meet(app, "2026-11-20T09:00:00Z", whom.clone()).await["id"].clone();
        let company = customer(app, "An Phú").await;
        let mut with = whom.clone();
        with["customerId"] = company.clone();
        meet(app, "2026-11-20T09:00:00Z", with).await;
        let soon = json!({ "when": { "at": { "startsAt": "2026-11-03T05:00:00Z", "durationMin": 30 } } });
        send(app, None, UPDATE, json!({ "id": near, "input": soon })).await;
        assert_eq!(reminded(app, user).await, 1);
        send(app, None, CANCEL, json!({ "id": off })).await;
        let delete = "mutation ($id: ID!) { deleteAppointment(id: $id) { appointment { deletedAt } userErrors { code } } }";
        send(app, None, delete, json!({ "id": deleted })).await;
        let back = meet(app, "2026-11-20T10:00:00Z", whom.clone()).await["id"].clone();
        let restore = "mutation ($id: ID!) { restoreAppointment(id: $id) { appointment { deletedAt } userErrors { code } } }";
        for mutation in [delete, restore] {
            send(app, None, mutation, json!({ "id": back })).await;
        }
        let delete = "mutation ($id: ID!) { deleteCustomer(id: $id) { customer { id } userErrors { code } } }";
        send(app, None, delete, json!({ "id": company })).await;
        app.advance(TimeDelta::days(17));
        assert_eq!(reminded(app, user).await, 2);
        assert_eq!(starts(app, user, "2026-11-20", 1).await, ["2026-11-20T10:00"]);
    }

    /// A calendar has appointments, calls and tasks, its days begin on the viewer's clock, and it shows what they may see.
    async fn a_calendar_has_what_there_is_on_a_day(app: App) {
        let (user, colleague) = (app.user(Role::Sales.id()).await.0, app.user(Role::Sales.id()).await.0);
        let company = customer(app, "An Phú").await;
        let zone = "mutation { setTimeZone(timeZone: \"America/New_York\") { user { timeZone } userErrors { code } } }";
        let zone = send(app, Some(user), zone, json!({})).await;
        assert_eq!(zone["user"]["timeZone"], "America/New_York");
        meet(app, "2026-11-10T04:30:00Z", json!({ "userIds": [user.global()] })).await;
        let day = json!({ "when": { "days": { "first": "2026-11-10", "count": 2 } }, "timeZone": "America/New_York", "userIds": [user.global()] });
        let day = meet(app, "2026-11-10T00:00:00Z", day).await;
        assert_eq!((&day["startsAt"], &day["endsAt"], &day["allDay"]), (&json!("2026-11-10T05:00:00+00:00"), &json!("2026-11-12T05:00:00+00:00"), &json!(true)));
        let call = json!({ "customer": company, "input": { "subject": "Ring", "purpose": "SALES", "plannedAt": "2026-11-10T15:00:00Z", "assigneeId": user.global() } });
        app.make("call", CREATE_CALL, call).await;
        let task = json!({ "input": { "title": "Write", "assigneeId": user.global(), "dueAt": "2026-11-10T16:00:00Z" } });
        app.make("task", CREATE_TASK, task).await;
        let calendar = send(app, Some(user), CALENDAR, json!({ "from": "2026-11-10", "days": 1 })).await;
        assert_eq!(calendar["userErrors"], json!([]));
        assert_eq!(calendar["calendar"]["timeZone"], "America/New_York");
        let entries = calendar["calendar"]["entries"].as_array().expect("entries");
        let kinds: Vec<_> = entries.iter().map(|entry| entry["kind"].as_str().expect("a kind")).collect();
        assert_eq!(kinds, ["APPOINTMENT", "CALL", "TASK"], "04:30 UTC is the day before in New York");
        assert_eq!((&entries[0]["firstOn"], &entries[0]["lastOn"]), (&json!("2026-11-10"), &json!("2026-11-11")));
        assert_eq!((&entries[1]["call"]["subject"], &entries[2]["task"]["title"]), (&json!("Ring"), &json!("Write")));
        let before = send(app, Some(user), CALENDAR, json!({ "from": "2026-11-09", "days": 1 })).await;
        assert_eq!(before["calendar"]["entries"].as_array().map(Vec::len), Some(1));
        let own = role(app, &[("READ_APPOINTMENTS", "OWN")]).await;
        let nosy = app.user(own).await.0;
        let theirs = json!({ "from": "2026-11-10", "days": 1, "users": [user.global(), colleague.global()] });
        let seen = send(app, Some(nosy), CALENDAR, theirs).await;
        assert_eq!(seen["calendar"]["entries"], json!([]), "one sees what one may see");
        for (wrong, field) in [
            (json!({ "from": "2026-11-10", "days": 63 }), "days"), (json!({ "from": "2026-11-10", "days": 0 }), "days"),
            (json!({ "from": "2026-11-10", "zone": "Mars/Base" }), "timeZone"), (json!({ "from": "2026-11-10", "users": ["usr_x"] }), "userIds"),
        ] {
            let refused = send(app, Some(user), CALENDAR, wrong).await;
            assert_eq!(refused["userErrors"][0]["field"][0], field);
        }
    }

    /// Colleagues see when somebody is busy and not with what; times that touch are one, and what was declined is free.
    async fn colleagues_see_when_one_is_free(app: App) {
        let (a, b) = (app.user(Role::Sales.id()).await.0, app.user(Role::Sales.id()).await.0);
        meet(app, "2026-11-10T09:00:00Z", json!({ "userIds": [a.global()] })).await;
        meet(app, "2026-11-10T09:30:00Z", json!({ "userIds": [a.global(), b.global()] })).await;
        let no = meet(app, "2026-11-10T12:00:00Z", json!({ "userIds": [b.global()] })).await;
        send(app, Some(b), RESPOND, json!({ "id": no["id"], "response": "DECLINED" })).await;
        let own = role(app, &[("READ_APPOINTMENTS", "OWN")]).await;
        let asker = app.user(own).await.0;
        let range = json!({ "users": [a.global(), b.global()], "from": "2026-11-10T08:00:00Z", "until": "2026-11-10T18:00:00Z" });
        let found = send(app, Some(asker), FREE_BUSY, range).await["freeBusy"].clone();
        let span = |from: &str, until: &str| json!({ "startsAt": format!("2026-11-10T{from}:00+00:00"), "endsAt": format!("2026-11-10T{until}:00+00:00") });
        assert_eq!(found["users"][0]["busy"], json!([span("09:00", "10:00")]));
        assert_eq!(found["users"][1]["busy"], json!([span("09:30", "10:00")]));
        assert_eq!(found["free"], json!([span("08:00", "09:00"), span("10:00", "18:00")]));
    }

    /// What cannot be is refused with the field and what to do, and nothing is half done.
    async fn an_appointment_that_cannot_be_is_refused(app: App) {
        let company = customer(app, "An Phú").await;
        let elsewhere = contact(app, &customer(app, "Bình Minh").await).await;
        let at = |start: &str, minutes: i32| json!({ "at": { "startsAt": start, "durationMin": minutes } });
        let base = json!({ "subject": "A", "when": at("2026-11-10T09:00:00Z", 30) });
        for (more, field) in [
            (json!({ "subject": " " }), "subject"),
            (json!({ "when": at("2026-11-10T09:00:00Z", 0) }), "when"),
            (json!({ "when": { "days": { "first": "2026-11-10", "count": 367 } } }), "when"),
            (json!({ "timeZone": "Mars" }), "timeZone"),
            (json!({ "repeats": "FREQ=HOURLY" }), "repeats"),
            (json!({ "repeats": "FREQ=WEEKLY;BYDAY=SU" }), "repeats"),
            (json!({ "reminders": ["P400D"] }), "before"),
            (json!({ "organizerId": "usr_x" }), "organizerId"),
            (json!({ "userIds": ["usr_x"] }), "userIds"),
            (json!({ "customerId": company, "contactIds": [elsewhere] }), "contactIds"),
        ] {
            let mut input = base.clone();
            for (name, value) in more.as_object().expect("an object") {
                input[name] = value.clone();
            }
            let refused = send(app, None, CREATE_APPOINTMENT, json!({ "input": input })).await;
            assert_eq!(refused["userErrors"][0]["field"][1], field, "{refused:#}");
        }
        assert_eq!(app.number("SELECT count(*) AS n FROM appointment").await, 0);
        assert_eq!(app.number("SELECT count(*) AS n FROM attendee").await, 0);
        let stale = meet(app, "2026-11-10T09:00:00Z", json!({})).await;
        let stale = send(app, None, UPDATE, json!({ "id": stale["id"], "input": {}, "version": 9 })).await;
        assert_eq!(stale["userErrors"][0]["code"], "STALE_VERSION");
    }

    /// Other programs read one's calendar at a secret address, as long as that is not taken back or given anew.
    async fn other_programs_subscribe_to_a_calendar(app: App) {
        let user = app.user(Role::Sales.id()).await.0;
        let series = json!({ "subject": "Họp nhóm; thứ Hai", "timeZone": "Europe/Paris", "repeats": "FREQ=WEEKLY;BYDAY=MO", "userIds": [user.global()] });
        let id = meet(app, "2026-11-09T08:00:00Z", series).await["id"].clone();
        send(app, None, CANCEL, json!({ "id": id, "part": { "at": "2026-11-16T08:00:00Z" } })).await;
        let declined = meet(app, "2026-11-10T08:00:00Z", json!({ "subject": "No", "userIds": [user.global()] })).await;
        send(app, Some(user), RESPOND, json!({ "id": declined["id"], "response": "DECLINED" })).await;
        let call = json!({ "customer": customer(app, "An Phú").await,
            "input": { "subject": "Ring", "purpose": "SALES", "plannedAt": "2026-11-10T15:00:00Z", "assigneeId": user.global() } });
        app.make("call", CREATE_CALL, call).await;
        let create = "mutation { createCalendarFeed { path userErrors { code } } }";
        let first = send(app, Some(user), create, json!({})).await["path"].as_str().expect("a path").to_owned();
        let answer = get(app, &first, &[]).await;
        assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (200, "text/calendar; charset=utf-8"));
        let text = String::from_utf8(answer.body().to_vec()).expect("text").replace("\r\n ", "");
        for line in [
            "SUMMARY:Họp nhóm\\; thứ Hai", "DTSTART;TZID=Europe/Paris:20261109T090000", "RRULE:FREQ=WEEKLY;BYDAY=MO",
            "EXDATE;TZID=Europe/Paris:20261116T090000", "BEGIN:VTIMEZONE", "SUMMARY:Ring", "DTSTART:20261110T150000Z",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("SUMMARY:No"), "{text}");
        let second = send(app, Some(user), create, json!({})).await["path"].as_str().expect("a path").to_owned();
        assert_eq!(get(app, &first, &[]).await.status().as_u16(), 404);
        assert_eq!(get(app, &second, &[]).await.status().as_u16(), 200);
        assert_eq!(app.number("SELECT count(*) AS n FROM calendar_feed").await, 1);
        let revoke = "mutation { revokeCalendarFeed { revoked userErrors { code } } }";
        assert_eq!(send(app, Some(user), revoke, json!({})).await["revoked"], true);
        for path in [second.as_str(), "/calendar/rcl_x", "/calendar/x"] {
            assert_eq!(get(app, path, &[]).await.status().as_u16(), 404);
        }
        let third = send(app, Some(user), create, json!({})).await["path"].as_str().expect("a path").to_owned();
        app.execute("UPDATE user_account SET disabled_at = updated_at WHERE email NOT LIKE '%administrator%'").await;
        assert_eq!(get(app, &third, &[]).await.status().as_u16(), 404, "who may not log in has no calendar");
    }
}
