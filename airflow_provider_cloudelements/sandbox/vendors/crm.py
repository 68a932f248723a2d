"""Records of sfdc, closeio and hubspotcrm, in the forms of their vendors (choice C322)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from airflow_provider_cloudelements.sandbox.vendors.shapes import (
    CITIES,
    COMPANIES,
    FIRST_NAMES,
    INDUSTRIES,
    LAST_NAMES,
    Record,
    Shape,
    created,
    pick,
    updated,
)

Make = Callable[[int], Record]

_STAGES = ("Prospecting", "Qualification", "Proposal", "Closed Won")


def _salesforce_date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def _close_date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")


def _email(number: int) -> str:
    return f"sandy{number}@example.com"


def _name(number: int) -> str:
    return f"{pick(FIRST_NAMES, number)} {pick(LAST_NAMES, number)}"


def _company(number: int) -> str:
    return f"{pick(COMPANIES, number)} {number}"


# --- Salesforce


def _salesforce(number: int) -> Record:
    made, changed = created(number), updated(number)
    return {
        "OwnerId": "005000000000001AAA",
        "IsDeleted": False,
        "CreatedDate": f"{made[0]}T{made[1]}.000+0000",
        "LastModifiedDate": f"{changed[0]}T{changed[1]}.000+0000",
    }


def _sfdc_account(number: int) -> Record:
    city, code, country = pick(CITIES, number)
    return {
        "Name": f"Account {number}",
        "Industry": pick(INDUSTRIES, number),
        "Type": pick(("Customer", "Prospect", "Partner"), number),
        "BillingCity": city,
        "BillingPostalCode": code,
        "BillingCountry": country,
        "NumberOfEmployees": number % 20 * 50 + 5,
        "AnnualRevenue": None if number % 4 == 0 else number % 12 * 100000.5,
        "Website": f"https://account{number}.example.com",
        **_salesforce(number),
    }


def _sfdc_contact(number: int) -> Record:
    return {
        "FirstName": pick(FIRST_NAMES, number),
        "LastName": f"Box {number}",
        "Email": _email(number),
        "Phone": None if number % 4 == 0 else f"+1 617 {number:09d}",
        "Title": pick(("Engineer", "Buyer", "Director", "Owner"), number),
        "AccountId": f"001{number:012d}AAA",
        **_salesforce(number),
    }


def _sfdc_lead(number: int) -> Record:
    return {
        "FirstName": pick(FIRST_NAMES, number),
        "LastName": f"Lead {number}",
        "Company": _company(number),
        "Email": f"lead{number}@example.com",
        "Status": pick(("Open - Not Contacted", "Working - Contacted", "Closed - Converted"), number),
        "Rating": None if number % 3 == 0 else "Warm",
        **_salesforce(number),
    }


def _sfdc_opportunity(number: int) -> Record:
    return {
        "Name": f"Opportunity {number}",
        "AccountId": f"001{number:012d}AAA",
        "StageName": pick(_STAGES, number),
        "Amount": number % 20 * 1250.5,
        "CloseDate": f"2030-{number % 12 + 1:02d}-15",
        "Probability": number % 5 * 25,
        "IsClosed": number % 4 == 3,
        **_salesforce(number),
    }


def _sfdc(make: Make, prefix: str) -> Shape:
    return Shape(
        make,
        prefix,
        12,
        "AAA",
        created="CreatedDate",
        updated="LastModifiedDate",
        write=_salesforce_date,
        mask="yyyy-MM-dd'T'HH:mm:ss.SSSZ",
    )


#: The resources of Salesforce.
SFDC: dict[str, Shape] = {
    "accounts": _sfdc(_sfdc_account, "001"),
    "contacts": _sfdc(_sfdc_contact, "003"),
    "leads": _sfdc(_sfdc_lead, "00Q"),
    "opportunities": _sfdc(_sfdc_opportunity, "006"),
}


# --- Close


def _close(number: int) -> Record:
    made, changed = created(number), updated(number)
    return {
        "organization_id": "orga_sandbox",
        "created_by": "user_000000000001",
        "date_created": f"{made[0]}T{made[1]}.000000+00:00",
        "date_updated": f"{changed[0]}T{changed[1]}.000000+00:00",
    }


def _close_account(number: int) -> Record:
    city, code, country = pick(CITIES, number)
    return {
        "name": _company(number),
        "description": "",
        "url": None if number % 3 == 0 else f"https://company{number}.example.com",
        "status_label": pick(("Potential", "Qualified", "Customer"), number),
        "addresses": [{"label": "business", "city": city, "zipcode": code, "country": country}],
        **_close(number),
    }


def _close_contact(number: int) -> Record:
    return {
        "name": _name(number),
        "title": pick(("CEO", "Buyer", "Engineer"), number),
        "lead_id": f"lead_{number:012d}",
        "emails": [{"type": "office", "email": _email(number)}],
        "phones": [{"type": "office", "phone": f"+1617{number:09d}"}],
        "urls": [],
        **_close(number),
    }


def _close_lead(number: int) -> Record:
    return {
        "name": _company(number),
        "display_name": _company(number),
        "status_label": pick(("Potential", "Qualified", "Customer"), number),
        "description": None,
        **_close(number),
    }


def _close_opportunity(number: int) -> Record:
    return {
        "lead_id": f"lead_{number:012d}",
        "lead_name": _company(number),
        "status_type": pick(("active", "won", "lost"), number),
        "value": number % 20 * 5000,
        "value_period": pick(("one_time", "monthly"), number),
        "confidence": number % 5 * 25,
        "note": "First call done, and a demo is planned.",
        "date_won": None,
        **_close(number),
    }


def _close_task(number: int) -> Record:
    return {
        "_type": "lead",
        "lead_id": f"lead_{number:012d}",
        "text": f"Call about offer {number}",
        "is_complete": number % 3 == 0,
        "date": f"2030-{number % 12 + 1:02d}-01",
        **_close(number),
    }


def _close_user(number: int) -> Record:
    made, changed = created(number), updated(number)
    return {
        "first_name": pick(FIRST_NAMES, number),
        "last_name": pick(LAST_NAMES, number),
        "email": f"user{number}@example.com",
        "organizations": ["orga_sandbox"],
        "date_created": f"{made[0]}T{made[1]}.000000+00:00",
        "date_updated": f"{changed[0]}T{changed[1]}.000000+00:00",
    }


def _close_activity(number: int) -> Record:
    return {
        "_type": pick(("Call", "Email", "Meeting"), number),
        "note": "Talked about terms.",
        **_close(number),
    }


def _close_note(number: int) -> Record:
    return {"_type": "Note", "note": f"Note {number}: likes line breaks\nand commas, too.", **_close(number)}


def _closeio(make: Make, prefix: str, *, required: bool = False) -> Shape:
    return Shape(
        make,
        prefix,
        12,
        created="date_created",
        updated="date_updated",
        write=_close_date,
        mask="yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
        required=required,
    )


#: The resources of Close.
CLOSEIO: dict[str, Shape] = {
    "accounts": _closeio(_close_account, "lead_"),
    "contacts": _closeio(_close_contact, "cont_", required=True),
    "leads": _closeio(_close_lead, "lead_"),
    "opportunities": _closeio(_close_opportunity, "oppo_"),
    "tasks": _closeio(_close_task, "task_"),
    "users": _closeio(_close_user, "user_"),
    "activities": _closeio(_close_activity, "acti_"),
    "notes": _closeio(_close_note, "acti_note_"),
}


# --- HubSpot


def _hubspot(number: int, properties: Record) -> Record:
    made, changed = created(number), updated(number)
    first, last = f"{made[0]}T{made[1]}.000Z", f"{changed[0]}T{changed[1]}.000Z"
    return {
        "properties": {**properties, "createdate": first, "hs_object_id": f"200{number:09d}"},
        "createdAt": first,
        "updatedAt": last,
        "archived": False,
    }


def _hubspot_account(number: int) -> Record:
    city, code, _ = pick(CITIES, number)
    own = {"name": _company(number), "domain": f"company{number}.example.com", "city": city, "zip": code}
    return _hubspot(number, own)


def _hubspot_contact(number: int) -> Record:
    own = {
        "firstname": pick(FIRST_NAMES, number),
        "lastname": pick(LAST_NAMES, number),
        "email": _email(number),
        "phone": None if number % 2 else f"+4930{number:09d}",
        "lifecyclestage": pick(("subscriber", "lead", "customer"), number),
    }
    return _hubspot(number, own)


def _hubspot_lead(number: int) -> Record:
    own = {"hs_lead_name": _company(number), "hs_lead_label": pick(("HOT", "WARM", "COLD"), number)}
    return _hubspot(number, own)


def _hubspot_opportunity(number: int) -> Record:
    own = {
        "dealname": f"Deal {number}",
        "amount": f"{number % 20 * 750}.00",
        "dealstage": pick(("appointmentscheduled", "contractsent", "closedwon"), number),
    }
    return _hubspot(number, own)


def _hubspot_owner(number: int) -> Record:
    made, changed = created(number), updated(number)
    return {
        "email": f"owner{number}@example.com",
        "firstName": pick(FIRST_NAMES, number),
        "lastName": pick(LAST_NAMES, number),
        "createdAt": f"{made[0]}T{made[1]}.000Z",
        "updatedAt": f"{changed[0]}T{changed[1]}.000Z",
        "archived": False,
    }


def _hubspotcrm(make: Make) -> Shape:
    return Shape(make, "200", 9, created="createdAt", updated="updatedAt")


#: The resources of HubSpot. Their ids are numbers, written as text.
HUBSPOTCRM: dict[str, Shape] = {
    "accounts": _hubspotcrm(_hubspot_account),
    "contacts": _hubspotcrm(_hubspot_contact),
    "leads": _hubspotcrm(_hubspot_lead),
    "opportunities": _hubspotcrm(_hubspot_opportunity),
    "owners": _hubspotcrm(_hubspot_owner),
}
