"""A plain HTTP client with cookies: what a script on the network could do, without a browser's manners."""

from __future__ import annotations

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request


class Answer:
    def __init__(self, status, headers, body, url):
        self.status, self.headers, self.body, self.url = status, headers, body, url

    @property
    def text(self):
        return self.body.decode("utf-8")


class Visitor:
    def __init__(self, url):
        self.url = url
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def ask(self, path, data=None, headers=None, method=None):
        body = urllib.parse.urlencode(data, doseq=True).encode() if data is not None else None
        request = urllib.request.Request(self.url + path, body, headers or {}, method=method)
        try:
            with self.opener.open(request, timeout=20) as answer:
                return Answer(answer.status, answer.headers, answer.read(), answer.url)
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read(), error.url)

    def cookie(self, name):
        return next((one.value for one in self.jar if one.name == name), None)

    def token(self, path="/"):
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.ask(path).text)
        assert found, path
        return found.group(1)

    def post(self, path, data=None, form="/", **named):
        return self.ask(path, {"csrfmiddlewaretoken": self.token(form), **(data or {})}, **named)

    def sign_in(self, person, phrase):
        return self.post("/login", {"username": person, "password": phrase}, form="/login")
