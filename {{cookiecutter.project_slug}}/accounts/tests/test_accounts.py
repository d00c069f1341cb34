"""The user model."""

from accounts.models import User


def test_a_user_can_be_added_in_the_admin(admin_client):
    data = {"username": "reader", "password1": "quiet-reading-room", "password2": "quiet-reading-room"}
    response = admin_client.post("/admin/accounts/user/add/", {**data, "usable_password": "true"})
    assert response.status_code == 302
    assert User.objects.get(username="reader").check_password("quiet-reading-room")
