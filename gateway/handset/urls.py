"""The demo's phone: its pages (with a trailing slash) and its JSON face (without)."""

from __future__ import annotations

from django.urls import path

from gateway.handset import json_face, views

app_name = "handset"
urlpatterns = [
    path("", views.choose, name="choose"),
    path("<str:phone>/", views.PhonePage.as_view(), name="phone"),
    path("<str:phone>/dial", json_face.dial, name="dial"),
    path("<str:phone>/messages", json_face.messages, name="messages"),
    path("<str:phone>/prompts", json_face.prompts, name="prompts"),
    path("<str:phone>/prompts/<str:prompt_id>", json_face.answer_prompt, name="prompt"),
    path("<str:phone>/paybill", json_face.paybill, name="paybill"),
    path("<str:phone>/sms", json_face.send_sms, name="sms"),
]
