"""An action whose words were typed before the second factor was too old: they wait in the form that asks for it.

Words and proof go in one request, to the action itself. Until then the words are in the person's own page alone: in no
address, cookie, row or log line.
"""

from django.http import HttpResponse

from secure_auth.errors import Problem
from secure_auth.web import factor
from secure_auth.web.forms import CodeForm, PageForm
from secure_auth.web.page import render_page
from secure_auth.web.person import SignedRequest, renew


def ask(request: SignedRequest, *, words: str, back: str, refused: Problem) -> HttpResponse:
    """Ask for a factor, with what was typed into the field `words` kept; `back` is where the action's page is."""
    form = CodeForm(request, is_sent=False)
    return _show(request, form, words=words, back=back, status=refused.code.status)


def prove(request: SignedRequest, *, words: str, back: str) -> HttpResponse | None:
    """Take the factor that came with an action, if one did. What is wrong with it, or None: go on."""
    if not factor.is_shown(request):
        return None
    form = factor.sent_form(request)
    with form:
        factor.prove(request, form)
        renew(request)
        return None
    return _show(request, form, words=words, back=back, status=form.status)


def _show(request: SignedRequest, form: PageForm, *, words: str, back: str, status: int) -> HttpResponse:
    context = {
        **factor.ways(request, request.person.user.pk),
        "form": form,
        "options": "/reauthenticate/passkey/",
        "kept": {"name": words, "value": request.POST.get(words, "")},
        "section": request.path.removeprefix("/console/").partition("/")[0],
        "back": back,
        "here": back,
    }
    return render_page(request, "console/prove_act", context, status=status)
